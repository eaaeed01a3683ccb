ALTER TABLE warnings ADD COLUMN IF NOT EXISTS coverage Float64 DEFAULT 1 COMMENT 'share of what the evidence is made of that is known: of the school days, or of the work due' AFTER providers;
