//! [`Lease`]: the right of a server to have a channel on air.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, cmd};
use uuid::Uuid;

use super::{Cluster, Inner, LASTS_MS, Lost};

/// The right to have a channel on air, while it is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// It only rises, also when Redis was emptied: it is a time in milliseconds, or more.
    pub fence: u64,
    /// Nobody had said to have it, nor to have let go of it: a server that Redis has not heard of for a
    /// while may still have it.
    pub is_unsure: bool,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Another server has it, with that number.
    #[error("another server has the channel on air")]
    Held(u64),
    /// Redis is away.
    #[error("Redis is away, so that servers cannot agree who publishes: {0}")]
    Away(String),
}

/// Gives whoever asks the key, unless another has it whose number it does not name. A key holds the
/// number, and who has it, or `-` when they let go of it.
const CLAIM: &str = r"
local held = redis.call('GET', KEYS[1])
local last, sure = 0, 0
if held then
  local fence, owner = string.match(held, '^(%d+) (.+)$')
  if owner ~= '-' and owner ~= ARGV[1] and fence ~= ARGV[3] then return {0, fence, 0} end
  last, sure = tonumber(fence), 1
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fence = string.format('%.0f', math.max(now, last + 1))
redis.call('SET', KEYS[1], fence .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {1, fence, sure}
";
/// Keeps what is held; gives 0 where another has it with a higher number.
const RENEW: &str = r"
local kept = {}
for i, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  local fence, owner = string.match(held or '0 -', '^(%d+) (.+)$')
  local mine = ARGV[i + 2]
  if owner ~= ARGV[1] and tonumber(fence) > tonumber(mine) then
    kept[i] = 0
  else
    redis.call('SET', key, mine .. ' ' .. ARGV[1], 'PX', ARGV[2])
    kept[i] = 1
  end
end
return kept
";
/// Lets go of what is held, and says so for a while; or, for no time, leaves nothing behind.
const RELEASE: &str = r"
if redis.call('GET', KEYS[1]) == ARGV[2] .. ' ' .. ARGV[1] then
  if ARGV[3] == '0' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('SET', KEYS[1], ARGV[2] .. ' -', 'PX', ARGV[3])
  end
end
return 0
";
/// Longer than a record lasts of somebody who died.
const FREE_FOR_MS: u64 = 60_000;

impl Cluster {
    /// Claims a channel for this server, and renews that until [`Self::release`]. With `instead_of` it is
    /// taken from whoever has it with that number.
    ///
    /// # Errors
    /// When another has it, or Redis is away.
    pub async fn claim(
        &self,
        channel: Uuid,
        instead_of: Option<u64>,
    ) -> Result<Option<Lease>, ClaimError> {
        let Some(inner) = &self.0 else {
            return Ok(None);
        };
        if let Some(held) = inner.leases().get(&channel) {
            return Ok(Some(Lease {
                is_unsure: false,
                ..*held
            }));
        }
        let away = |error: RedisError| ClaimError::Away(error.to_string());
        let redis = inner.redis();
        let mut redis = redis.ok_or_else(|| ClaimError::Away("it does not answer".to_owned()))?;
        let instead_of = instead_of.map(|fence| fence.to_string());
        let (given, fence, sure): (u8, String, u8) = cmd("EVAL")
            .arg(CLAIM)
            .arg(1)
            .arg(inner.key(channel))
            .arg(inner.node.id.to_string())
            .arg(LASTS_MS)
            .arg(instead_of.unwrap_or_default())
            .query_async(&mut redis)
            .await
            .map_err(away)?;
        let fence = fence.parse().unwrap_or_default();
        if given == 0 {
            return Err(ClaimError::Held(fence));
        }
        let lease = Lease {
            fence,
            is_unsure: sure == 0,
        };
        inner.leases().insert(channel, lease);
        Ok(Some(lease))
    }

    /// What was claimed is this server's, also if that was not sure at first.
    pub fn keep(&self, channel: Uuid) {
        if let Some(inner) = &self.0
            && let Some(lease) = inner.leases().get_mut(&channel)
        {
            lease.is_unsure = false;
        }
    }

    /// Lets go of a channel, so that another may have it at once; unless it was never sure that this server
    /// may: then the next who asks is no surer.
    pub fn release(&self, channel: Uuid) {
        let Some(inner) = &self.0 else {
            return;
        };
        let Some(lease) = inner.leases().remove(&channel) else {
            return;
        };
        let free_for_ms = match lease.is_unsure {
            true => 0,
            false => FREE_FOR_MS,
        };
        let (key, node, redis) = (inner.key(channel), inner.node.id, inner.redis());
        let Some(mut redis) = redis else {
            return;
        };
        tokio::spawn(async move {
            let released: Result<u8, RedisError> = cmd("EVAL")
                .arg(RELEASE)
                .arg(1)
                .arg(key)
                .arg(node.to_string())
                .arg(lease.fence)
                .arg(free_for_ms)
                .query_async(&mut redis)
                .await;
            if let Err(error) = released {
                // It ends by itself.
                tracing::debug!(%error, "A lease could not be given back: {error}");
            }
        });
    }

    /// By which lease this server holds a channel, if it does.
    #[must_use]
    pub fn fence_of(&self, channel: Uuid) -> Option<u64> {
        let inner = self.0.as_ref()?;
        inner.leases().get(&channel).map(|lease| lease.fence)
    }

    /// The channels that this server holds.
    #[must_use]
    pub fn held(&self) -> Vec<Uuid> {
        let inner = self.0.as_ref();
        inner.map_or_else(Vec::new, |inner| inner.leases().keys().copied().collect())
    }
}

impl Inner {
    fn key(&self, channel: Uuid) -> String {
        self.bus.key(&format!("lease:{channel}"))
    }
}

/// Renews all that is held. Gives what others have taken.
pub(super) async fn renew(
    inner: &Inner,
    redis: &mut MultiplexedConnection,
) -> Result<Vec<Lost>, RedisError> {
    let held: Vec<(Uuid, Lease)> = inner
        .leases()
        .iter()
        .map(|(channel, lease)| (*channel, *lease))
        .collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let mut renew = cmd("EVAL");
    renew.arg(RENEW).arg(held.len());
    for (channel, _) in &held {
        renew.arg(inner.key(*channel));
    }
    renew.arg(inner.node.id.to_string()).arg(LASTS_MS);
    for (_, lease) in &held {
        renew.arg(lease.fence);
    }
    let kept: Vec<u8> = renew.query_async(redis).await?;
    let mut lost = Vec::new();
    let mut leases = inner.leases();
    for ((channel, lease), kept) in held.into_iter().zip(kept) {
        let is_still = leases
            .get(&channel)
            .is_some_and(|now| now.fence == lease.fence);
        if kept == 0 && is_still {
            leases.remove(&channel);
            lost.push(Lost {
                channel,
                fence: lease.fence,
            });
        }
    }
    Ok(lost)
}
