-- What a line of the chat thanks for, as JSON.
ALTER TABLE chat_message ADD COLUMN support TEXT;

-- As the product of a tier is called at Stripe, where the tier may have got another name since.
ALTER TABLE membership_tier ADD COLUMN product_name TEXT;

-- The server that does a job, while it does: when it starts anew it did not finish it.
ALTER TABLE job ADD COLUMN taken_by TEXT;
