ALTER TABLE statements
    ADD COLUMN IF NOT EXISTS json String ALIAS if(startsWith(statement, '"'), concat('{"id":"', toString(statement_id), '",', statement), statement) COMMENT 'the statement as JSON, agents swapped for keys' AFTER statement;
