//! What other domains hold of an account: told in its export, taken away when it leaves.
//!
//! Those domains stand above this one, so that it knows them by this trait alone; the composition root
//! gives the list ([`Accounts::own`]).

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};

use serde_json::Value;

use super::{AccountId, Accounts};
use crate::error::ApiError;

/// An answer that is being worked on.
pub type Working<'a, T> = Pin<Box<dyn Future<Output = Result<T, ApiError>> + Send + 'a>>;

/// A domain that holds something of accounts.
pub trait Belonging: Send + Sync {
    /// Its name in the export, such as `channels`.
    fn name(&self) -> &'static str;

    /// All that it holds of an account, but for secrets.
    fn export(&self, account: AccountId) -> Working<'_, Value>;

    /// Lets go of what the account's rows do not take with them: streams that are live, files. The
    /// account cannot sign in any more by then, and is still there. Most have no more than rows.
    fn let_go(&self, _account: AccountId) -> Working<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The list, in the order in which accounts let go.
pub struct Belongings(pub Vec<Box<dyn Belonging>>);

impl fmt::Debug for Belongings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|one| one.name()))
            .finish()
    }
}

impl Accounts {
    /// Tells which domains hold something of accounts. Called once, before requests come. The caller
    /// keeps the list: those domains stand on this one, and the two would keep each other for ever.
    pub fn own(&self, belongings: &Arc<Belongings>) {
        if self.belongings.set(Arc::downgrade(belongings)).is_err() {
            tracing::error!("The list of what accounts own was given twice");
        }
    }

    /// The list. It fails once the server has stopped.
    pub(super) fn belongings(&self) -> Result<Arc<Belongings>, ApiError> {
        let list = self.belongings.get().and_then(Weak::upgrade);
        list.ok_or_else(|| ApiError::Internal("the server is stopping".to_owned()))
    }
}
