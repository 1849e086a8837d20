//! [`Fault`]: one that is run, alone, and the line that it leaves.

use std::time::{Duration, Instant};

use loadtest::report::Spread;
use serde_json::{Map, Value};
use tallylight::clock::Clock;
use tokio::sync::{Mutex, MutexGuard};

/// A fault that is run. Dropped, it says what was seen; while a test fails, that it did not pass.
pub(crate) struct Fault {
    id: &'static str,
    case: &'static str,
    began: Instant,
    figures: Map<String, Value>,
    _turn: MutexGuard<'static, ()>,
}

/// Two at once would tell nothing of either.
static TURN: Mutex<()> = Mutex::const_new(());

impl Fault {
    /// Begins, when no other is run.
    pub(crate) async fn of(id: &'static str, case: &'static str) -> Self {
        Self {
            _turn: TURN.lock().await,
            id,
            case,
            began: now(),
            figures: Map::new(),
        }
    }

    /// Notes what was seen.
    pub(crate) fn saw(&mut self, name: &str, what: impl Into<Value>) {
        self.figures.insert(name.to_owned(), what.into());
    }

    /// The same of a time, in milliseconds.
    pub(crate) fn took(&mut self, name: &str, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.saw(&format!("{name}_ms"), millis);
    }

    /// The same of many.
    pub(crate) fn spread(&mut self, name: &str, times: impl IntoIterator<Item = Duration>) {
        let spread = serde_json::to_value(Spread::of(times)).unwrap();
        self.saw(name, spread);
    }
}

impl Drop for Fault {
    #[expect(clippy::print_stdout, reason = "the line that a fault leaves")]
    fn drop(&mut self) {
        let (id, case, pass) = (self.id, self.case, !std::thread::panicking());
        let seconds = self.began.elapsed().as_secs();
        let figures = self.figures.iter();
        let figures: String = figures
            .map(|(name, what)| format!(",\"{name}\":{what}"))
            .collect();
        // libtest has begun a line of its own.
        println!(
            "\n{{\"id\":\"{id}\",\"case\":\"{case}\",\"pass\":{pass},\"seconds\":{seconds}{figures}}}"
        );
    }
}

/// What the clock says.
pub(crate) fn now() -> Instant {
    Clock::system().instant()
}
