-- What an account watched is looked up when it takes its data along, and let go when it leaves.
CREATE INDEX viewing_by_account ON viewing (account_id);
