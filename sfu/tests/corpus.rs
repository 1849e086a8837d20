//! Every input that ever taught the fuzz targets in `sfu/fuzz` something, and damaged copies of it,
//! through the same entries on the stable compiler.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use sfu::fuzzing;

/// Damaged and random inputs for one entry, in each of two tests.
const CASES: u32 = 256;
/// The same where an input costs a handshake's worth of keys.
const FEW_CASES: u32 = 24;

type Entry = fn(&[u8]);

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).expect("the target has a corpus");
    let inputs: Vec<_> = files
        .map(|file| fs::read(file.expect("a file").path()).expect("its bytes"))
        .collect();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    inputs
}

fn replay(target: &str, entry: Entry) {
    for input in corpus(target) {
        entry(&input);
    }
}

/// Flips bits and cuts the end off. The highest bit of a byte stays, so that text remains text.
fn damage(mut input: Vec<u8>, flips: Vec<(prop::sample::Index, u32)>, cut: usize) -> Vec<u8> {
    for (at, bit) in flips {
        if !input.is_empty() {
            let at = at.index(input.len());
            input[at] ^= 1 << bit;
        }
    }
    input.truncate(input.len().saturating_sub(cut));
    input
}

fn survives_damage(target: &str, entry: Entry, cases: u32) {
    let cut = prop_oneof![3 => Just(0), 1 => 0..200usize, 1 => 0..4_000usize];
    let input = (
        prop::sample::select(corpus(target)),
        vec((any::<prop::sample::Index>(), 0..7u32), 0..8),
        cut,
    )
        .prop_map(|(input, flips, cut)| damage(input, flips, cut));
    run(&input, entry, cases);
}

fn survives_noise(entry: Entry, cases: u32) {
    run(&vec(any::<u8>(), 0..600), entry, cases);
    run(&"\\PC{0,300}".prop_map(String::into_bytes), entry, cases);
}

fn run(inputs: &impl Strategy<Value = Vec<u8>>, entry: Entry, cases: u32) {
    let config = ProptestConfig {
        cases,
        // What fails belongs into the corpus, under a name that says what it broke.
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(inputs, |input| {
        entry(&input);
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

            #[test]
            fn corpus_keeps_its_promises() {
                replay(stringify!($target), fuzzing::$target);
            }

            #[test]
            fn damaged_corpus_keeps_its_promises() {
                survives_damage(stringify!($target), fuzzing::$target, $cases);
            }

            #[test]
            fn noise_keeps_its_promises() {
                survives_noise(fuzzing::$target, $cases);
            }
        }
    )*};
}

targets! {
    demux: CASES;
    offer: CASES;
    session: FEW_CASES;
    fragment: CASES;
    video_payload: CASES;
    rtp_sequence: CASES;
}
