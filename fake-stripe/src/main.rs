//! `fake-stripe`: runs the fake for a person who tries payments by hand.

use std::net::SocketAddr;
use std::process::ExitCode;

use fake_stripe::{FakeStripe, Options};

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the one line it says is for whoever started it"
)]
async fn main() -> ExitCode {
    let asked = match read(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let webhook = asked
        .webhook_url
        .clone()
        .unwrap_or_else(|| "nobody".to_owned());
    let fake = match FakeStripe::start(asked).await {
        Ok(fake) => fake,
        Err(error) => {
            eprintln!("Cannot listen: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("Fake Stripe listens on {} and tells {webhook}", fake.url());
    let _ = tokio::signal::ctrl_c().await;
    ExitCode::SUCCESS
}

/// Reads the arguments; none when help is asked for.
fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 12_111)),
        webhook_url: None,
        webhook_secret: "whsec_dev".to_owned(),
        public_url: None,
    };
    while let Some(name) = arguments.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{name} needs a value."))
        };
        match name.as_str() {
            "--listen" => {
                let text = value()?;
                let listen = text
                    .parse()
                    .map_err(|_| format!("{text} is no address with a port."));
                options.listen = listen?;
            }
            "--webhook" => options.webhook_url = Some(value()?),
            "--secret" => options.webhook_secret = value()?,
            "--public-url" => options.public_url = Some(value()?),
            other => return Err(format!("{other} is no option.")),
        }
    }
    Ok(Some(options))
}

const USAGE: &str = "\
Usage: fake-stripe [--listen 127.0.0.1:12111] [--webhook http://127.0.0.1:8080/webhooks/stripe]
                   [--secret whsec_dev] [--public-url http://127.0.0.1:12111]";

#[cfg(test)]
mod tests {
    use super::*;

    fn read_line(line: &str) -> Result<Option<Options>, String> {
        read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read() {
        let line = "--listen 127.0.0.1:0 --webhook http://127.0.0.1:1/hook --secret whsec_a";
        let options = read_line(line).unwrap().unwrap();
        assert_eq!(options.listen.port(), 0);
        assert_eq!(
            options.webhook_url.as_deref(),
            Some("http://127.0.0.1:1/hook")
        );
        assert_eq!(options.webhook_secret, "whsec_a");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(
            read_line("--listen").unwrap_err(),
            "--listen needs a value."
        );
        assert_eq!(read_line("--port 1").unwrap_err(), "--port is no option.");
        assert!(read_line("--help").unwrap().is_none());
    }
}
