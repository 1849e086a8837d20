//! Who does which kind of job: the one place where kinds are told to the worker.

use crate::jobs::Worker;
use crate::router::Services;

/// The worker, which knows every kind of job.
pub(super) fn worker(services: &Services) -> Worker {
    Worker::new(services.jobs.clone())
}
