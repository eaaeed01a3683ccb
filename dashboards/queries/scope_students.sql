-- The students a viewer may read rows of; the store puts it before each query of scope students as the table "allowed".
SELECT student_id, school_id, grade
FROM roster FINAL
WHERE {scope_everyone:Bool}
   OR has({scope_students:Array(String)}, toString(student_id))
   OR has({scope_schools:Array(String)}, toString(school_id))
   OR has({scope_grades:Array(String)}, concat(school_id, '/', toString(grade)))
   OR hasAny({scope_sections:Array(String)}, CAST(sections, 'Array(String)'))
