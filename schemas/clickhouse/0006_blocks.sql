ALTER TABLE statements
    MODIFY SETTING min_compress_block_size = 16384;

ALTER TABLE credits
    MODIFY SETTING min_compress_block_size = 16384;

ALTER TABLE attempts
    MODIFY SETTING min_compress_block_size = 16384;

ALTER TABLE skill_states
    MODIFY SETTING min_compress_block_size = 4096;

ALTER TABLE student_states
    MODIFY SETTING min_compress_block_size = 4096;

ALTER TABLE student_days
    MODIFY SETTING min_compress_block_size = 4096;
