# make run: start the server. make test: run every test. Both install what is missing on Debian 12.
.PHONY: run dev test check fix bench e2e fuzz fault web openapi setup deb

# What scripts/setup.sh put there, and what rustup installs.
export PATH := $(CURDIR)/.tools/node/bin:$(HOME)/.cargo/bin:$(PATH)

# Flags for the server, such as ARGS="--http 127.0.0.1:8081", or for scripts/bench.sh.
ARGS ?=
F ?=

run:
	scripts/setup.sh run
	cargo build --release
	./target/release/tallylight serve $(ARGS)

dev:
	scripts/setup.sh run
	scripts/dev.sh $(ARGS)

# The cheapest first. One profile and one set of features, so that nothing is compiled twice.
test:
	scripts/setup.sh test
	npm --prefix web run check
	npm --prefix web run test
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace
	scripts/deploy-check.sh
	scripts/contract.sh
	npm --prefix web run e2e

check:
	npm --prefix web run check
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

fix:
	npm --prefix web run fix
	cargo fmt --all
	cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

bench:
	scripts/setup.sh test
	scripts/bench.sh $(ARGS)

e2e:
	scripts/setup.sh test
	cargo build --workspace
	npm --prefix web run e2e

fuzz:
	scripts/fuzz.sh

# Faults, also those that take long: all, or those of F="F7 F21".
fault:
	scripts/setup.sh test
	scripts/fault.sh $(F)

# A Debian package, into target/debian.
deb:
	scripts/setup.sh run
	command -v cargo-deb >/dev/null || cargo install cargo-deb --locked --version 3.8.0
	cargo build --release
	cargo deb --no-build

# The built front end, which the server carries.
web:
	scripts/web.sh

# docs/openapi.json and the client types made from it.
openapi:
	UPDATE=1 cargo test --workspace --test api the_snapshot_in_docs_is_current
	npm --prefix web run api

setup:
	scripts/setup.sh test
