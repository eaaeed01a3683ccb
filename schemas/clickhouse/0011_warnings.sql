ALTER TABLE warnings ADD COLUMN IF NOT EXISTS coverage Float64 DEFAULT 1 COMMENT 'share of the school days of the evidence on which the student could be heard of' AFTER providers;
