-- What Stripe said, and what creators sell. Amounts are whole numbers of a currency's smallest unit.

-- Each event of Stripe's once, and what came of it.
CREATE TABLE stripe_event (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    -- What it is about: a Checkout session, subscription, invoice, charge or account.
    object_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    -- Null: the work that it asks for is not done yet.
    done_at BIGINT,
    -- What it changed, or why nothing, in words.
    outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX stripe_event_by_time ON stripe_event (received_at DESC, id DESC);

-- Objects of Stripe's are read again for each event. Answers may overtake one another: the one to the
-- latest question counts.
CREATE TABLE stripe_object (
    id TEXT PRIMARY KEY,
    asked BIGINT NOT NULL,
    applied BIGINT NOT NULL DEFAULT 0
);

-- With which kind of money all this is: ids of Stripe's test mode are none of its live mode.
CREATE TABLE stripe_mode (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    is_live BOOLEAN NOT NULL
);

CREATE TABLE stripe_customer (
    account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    customer_id TEXT NOT NULL UNIQUE
);

-- A creator's own account at Stripe, connected to the operator's.
CREATE TABLE payout_account (
    account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    stripe_account_id TEXT NOT NULL UNIQUE,
    can_charge BOOLEAN NOT NULL DEFAULT FALSE,
    can_pay_out BOOLEAN NOT NULL DEFAULT FALSE
);

-- How a channel sells.
CREATE TABLE shop (
    channel_id TEXT PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE,
    currency TEXT NOT NULL,
    -- What new members read.
    welcome TEXT NOT NULL,
    takes_tips BOOLEAN NOT NULL,
    least_tip BIGINT NOT NULL,
    -- SHA-256 of the token that the page with alerts shows.
    alert_token_hash TEXT UNIQUE
);

CREATE TABLE membership_tier (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    tier BIGINT NOT NULL CHECK (tier BETWEEN 1 AND 3),
    name TEXT NOT NULL,
    -- A line each.
    perks TEXT NOT NULL,
    -- Whether new members may take it.
    is_offered BOOLEAN NOT NULL,
    product_id TEXT,
    PRIMARY KEY (channel_id, tier)
);

-- Prices of tiers. They never change: another amount is another price.
CREATE TABLE membership_price (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL,
    tier BIGINT NOT NULL,
    period TEXT NOT NULL CHECK (period IN ('month', 'year')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    is_offered BOOLEAN NOT NULL,
    price_id TEXT,
    FOREIGN KEY (channel_id, tier) REFERENCES membership_tier (channel_id, tier) ON DELETE CASCADE
);
CREATE INDEX membership_price_by_tier ON membership_price (channel_id, tier);

-- Tickets that are sold: to a stream, or to several.
CREATE TABLE ticket_offer (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    is_offered BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX ticket_offer_by_channel ON ticket_offer (channel_id, created_at DESC);
CREATE TABLE ticket_stream (
    offer_id TEXT NOT NULL REFERENCES ticket_offer (id) ON DELETE CASCADE,
    stream_id TEXT NOT NULL,
    PRIMARY KEY (offer_id, stream_id)
);
CREATE INDEX ticket_stream_by_stream ON ticket_stream (stream_id);

-- What somebody set out to pay for, by one Checkout session each. It outlives account and channel:
-- money was moved.
CREATE TABLE purchase (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('membership', 'gift', 'tip', 'ticket')),
    channel_id TEXT REFERENCES channel (id) ON DELETE SET NULL,
    account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
    -- Of a membership, and of gifts.
    tier BIGINT,
    period TEXT,
    -- How many are given.
    quantity BIGINT NOT NULL DEFAULT 1,
    offer_id TEXT REFERENCES ticket_offer (id) ON DELETE SET NULL,
    amount BIGINT NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    -- What comes with a tip.
    message TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('open', 'paid', 'expired', 'failed')),
    created_at BIGINT NOT NULL,
    paid_at BIGINT,
    session_id TEXT UNIQUE,
    session_url TEXT,
    subscription_id TEXT,
    payment_intent TEXT
);
-- Two pages that pay at once share one session, which can be paid once.
CREATE UNIQUE INDEX purchase_of_membership ON purchase (channel_id, account_id)
    WHERE kind = 'membership' AND state = 'open';
CREATE UNIQUE INDEX purchase_of_ticket ON purchase (offer_id, account_id)
    WHERE kind = 'ticket' AND state = 'open';
CREATE INDEX purchase_by_account ON purchase (account_id, created_at DESC);
CREATE INDEX purchase_by_channel ON purchase (channel_id, paid_at DESC);
CREATE INDEX purchase_by_payment ON purchase (payment_intent);

-- Memberships that are paid again and again, as Stripe told of them last.
CREATE TABLE subscription (
    id TEXT PRIMARY KEY,
    channel_id TEXT REFERENCES channel (id) ON DELETE SET NULL,
    account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
    tier BIGINT NOT NULL,
    period TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'past_due', 'unpaid', 'canceled', 'incomplete')),
    started_at BIGINT NOT NULL,
    period_end BIGINT NOT NULL,
    ends_at_period_end BOOLEAN NOT NULL,
    -- Since when a payment is missing.
    past_due_since BIGINT,
    ended_at BIGINT
);
CREATE INDEX subscription_by_account ON subscription (account_id, channel_id);
CREATE INDEX subscription_by_channel ON subscription (channel_id, started_at DESC);

-- Memberships that somebody else paid, for a month each.
CREATE TABLE gift (
    id TEXT PRIMARY KEY,
    purchase_id TEXT NOT NULL REFERENCES purchase (id) ON DELETE CASCADE,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    tier BIGINT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    UNIQUE (purchase_id, account_id)
);
CREATE INDEX gift_by_account ON gift (account_id, channel_id);

-- Money that came in.
CREATE TABLE payment (
    -- The invoice's id, or the payment intent's.
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    channel_id TEXT REFERENCES channel (id) ON DELETE SET NULL,
    account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
    purchase_id TEXT,
    subscription_id TEXT,
    payment_intent TEXT,
    amount BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    currency TEXT NOT NULL,
    paid_at BIGINT NOT NULL,
    -- Not what only sets off one tier against another.
    covers_period BOOLEAN NOT NULL
);
CREATE INDEX payment_by_intent ON payment (payment_intent);
CREATE INDEX payment_by_subscription ON payment (subscription_id, paid_at DESC);
CREATE INDEX payment_by_channel ON payment (channel_id, paid_at DESC);

-- What of it went back, as Stripe told last. It may be known before the payment is.
CREATE TABLE charge (
    payment_intent TEXT PRIMARY KEY,
    amount BIGINT NOT NULL,
    refunded BIGINT NOT NULL,
    is_disputed BOOLEAN NOT NULL
);

-- The book: what each payment came to, entry by entry. The sum of a payment's entries is what is left of it.
CREATE TABLE ledger (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    -- payment, refund, dispute, dispute_won
    entry TEXT NOT NULL,
    kind TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    channel_id TEXT REFERENCES channel (id) ON DELETE SET NULL,
    account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
    amount BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    currency TEXT NOT NULL,
    -- The event of Stripe's that it came by, where one did.
    event_id TEXT
);
CREATE INDEX ledger_by_payment ON ledger (payment_id);
CREATE INDEX ledger_by_channel ON ledger (channel_id, at DESC, id DESC);
CREATE INDEX ledger_by_time ON ledger (at DESC, id DESC);

-- Who may watch: everybody whom the channel lets in, unless this says otherwise.
ALTER TABLE stream ADD COLUMN gate TEXT
    CHECK (gate IN ('everyone', 'followers', 'members', 'ticket', 'password'));
ALTER TABLE stream ADD COLUMN gate_tier BIGINT NOT NULL DEFAULT 1;
ALTER TABLE stream ADD COLUMN gate_password_hash TEXT;
-- How many seconds those outside see.
ALTER TABLE stream ADD COLUMN preview_s BIGINT NOT NULL DEFAULT 0;
ALTER TABLE recording ADD COLUMN gate TEXT
    CHECK (gate IN ('everyone', 'followers', 'members', 'ticket', 'password'));
ALTER TABLE recording ADD COLUMN gate_tier BIGINT NOT NULL DEFAULT 1;
ALTER TABLE recording ADD COLUMN gate_password_hash TEXT;
-- Emotes of members.
ALTER TABLE chat_emote ADD COLUMN tier BIGINT NOT NULL DEFAULT 0;
