//! [`Problems`]: what goes wrong in the child, told to the server, each once.

use std::collections::BTreeSet;
use std::sync::mpsc::SyncSender;

use crate::message::FromWorker;

/// Tells of problems.
#[derive(Debug)]
pub(crate) struct Problems {
    out: SyncSender<FromWorker>,
    told: BTreeSet<String>,
}

/// Different problems that are told at all.
const MOST: usize = 32;

impl Problems {
    pub(crate) fn new(out: SyncSender<FromWorker>) -> Self {
        Self {
            out,
            told: BTreeSet::new(),
        }
    }

    /// Tells of a failure, unless it was told before.
    pub(crate) fn note(&mut self, done: Result<(), String>) {
        if let Err(problem) = done
            && self.told.len() < MOST
            && self.told.insert(problem.clone())
        {
            let _ = self.out.send(FromWorker::Problem(problem));
        }
    }
}
