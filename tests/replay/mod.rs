//! Replays the corpora of a crate's fuzz targets, and damaged copies of them. `targets!` makes the tests; it
//! needs `fuzzing`, where the entries are, and `BITS` of a byte that damage may flip, from the lowest.

use std::fmt;
use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

pub(crate) type Entry = fn(&[u8]);

/// Bytes that a failure shows as a byte string that can be copied.
#[derive(Clone)]
struct Input(Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// The files of a target's corpus with their names.
fn corpus(target: &str) -> Vec<(String, Input)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("the target has a corpus");
    let mut inputs: Vec<_> = files
        .map(|file| file.expect("a file").path())
        .map(|path| {
            let input = Input(fs::read(&path).expect("its bytes"));
            (path.display().to_string(), input)
        })
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs.sort_by(|(a, _), (b, _)| a.cmp(b));
    inputs
}

pub(crate) fn replay(target: &str, entry: Entry) {
    let broken: Vec<_> = corpus(target)
        .into_iter()
        .filter(|(_, input)| catch_unwind(|| entry(&input.0)).is_err())
        .map(|(name, _)| name)
        .collect();
    assert!(broken.is_empty(), "broken by {broken:#?}");
}

/// Flips bits and cuts the end off.
fn damage(mut input: Vec<u8>, flips: Vec<(Index, u32)>, cut: usize) -> Input {
    for (at, bit) in flips {
        if !input.is_empty() {
            let at = at.index(input.len());
            input[at] ^= 1 << bit;
        }
    }
    input.truncate(input.len().saturating_sub(cut));
    Input(input)
}

pub(crate) fn survives_damage(target: &str, entry: Entry, bits: u32, cases: u32) {
    let inputs: Vec<_> = corpus(target).into_iter().map(|(_, input)| input).collect();
    let flips = vec((any::<Index>(), 0..bits), 0..8);
    let cut = prop_oneof![3 => Just(0), 1 => 0..200usize, 1 => 0..4_000usize];
    let damaged =
        (select(inputs), flips, cut).prop_map(|(input, flips, cut)| damage(input.0, flips, cut));
    run(&damaged, entry, cases);
}

pub(crate) fn survives_noise(entry: Entry, cases: u32) {
    run(&vec(any::<u8>(), 0..600).prop_map(Input), entry, cases);
    let text = "\\PC{0,300}".prop_map(|text| Input(text.into_bytes()));
    run(&text, entry, cases);
}

fn run(inputs: &impl Strategy<Value = Input>, entry: Entry, cases: u32) {
    let config = ProptestConfig {
        cases,
        // What fails belongs into the corpus, under a name that says what it broke.
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(inputs, |input| {
        entry(&input.0);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

macro_rules! targets {
    ($($target:ident: $cases:expr;)*) => {$(
        mod $target {
            use super::*;
            use crate::replay::{replay, survives_damage, survives_noise};

            #[test]
            fn corpus_keeps_its_promises() {
                replay(stringify!($target), fuzzing::$target);
            }

            #[test]
            fn damaged_corpus_keeps_its_promises() {
                survives_damage(stringify!($target), fuzzing::$target, BITS, $cases);
            }

            #[test]
            fn noise_keeps_its_promises() {
                survives_noise(fuzzing::$target, $cases);
            }
        }
    )*};
}
