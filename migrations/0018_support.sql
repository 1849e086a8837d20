-- What a line of the chat thanks for, as JSON.
ALTER TABLE chat_message ADD COLUMN support TEXT;
