//! [`Line`]: a way to Redis that can be cut.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on, or, when it is cut, none: those that are there hang.
pub(crate) struct Line {
    pub(crate) port: u16,
    whole: Arc<watch::Sender<bool>>,
    passing: JoinHandle<()>,
}

impl Line {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap().port();
        let whole = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&whole);
        let passing = tokio::spawn(async move {
            loop {
                let Ok((mut near, _)) = listener.accept().await else {
                    return;
                };
                let mut state = state.subscribe();
                tokio::spawn(async move {
                    if !*state.borrow() {
                        // As behind a firewall that drops: it is held, and nothing comes.
                        let _ = state.wait_for(|whole| *whole).await;
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => return,
                        _ = state.wait_for(|whole| !*whole) => {}
                    }
                    let _ = state.wait_for(|whole| *whole).await;
                });
            }
        });
        Self {
            port: at,
            whole,
            passing,
        }
    }

    pub(crate) fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub(crate) fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.passing.abort();
    }
}
