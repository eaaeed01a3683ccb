ALTER TABLE student_days
    ADD COLUMN IF NOT EXISTS incidents UInt16 DEFAULT 0 COMMENT 'reports on behaviour' AFTER absent;
