//! Puts the configuration together: defaults, file, environment, flags, each over the one before.
//!
//! Pure but for reading the file: environment and flags come in as arguments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, IceServer, OidcProvider, Server};

/// Prefix of the environment variables that hold configuration.
const PREFIX: &str = "TALLYLIGHT_";
/// Variables with the prefix that are read elsewhere: as flags, and by the front end's tools.
const ELSEWHERE: [&str; 8] = [
    "CONFIG",
    "DATA",
    "HTTP",
    "ADMIN_LISTEN",
    "PUBLIC_IP",
    "LOG",
    "BIN",
    "URL",
];
/// An unknown variable this similar to a known one is taken for a typing error.
const TYPING_ERROR: f64 = 0.7;

/// Where the values come from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file; without one, `tallylight.toml` in the working directory where it exists.
    pub file: Option<PathBuf>,
    /// The environment, as pairs.
    pub environment: Vec<(String, String)>,
    /// Flags, the strongest.
    pub flags: Vec<Override>,
}

/// One value given outside the file.
#[derive(Debug, Clone)]
pub struct Override {
    /// How the operator wrote it, such as `--http`; for error messages.
    pub name: String,
    /// The key it sets, such as `http.listen`.
    pub key: &'static str,
    /// Its text.
    pub value: String,
}

/// A configuration and what was noticed while it was put together.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
    /// Remarks that do not stop the start, such as an environment variable nobody reads.
    pub remarks: Vec<String>,
}

/// The keys that the file, the environment or a flag sets, whatever to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeSet<String>);

impl Given {
    fn of(table: &Table) -> Self {
        let mut keys = Vec::new();
        collect_keys(table, "", &mut keys);
        Self(keys.into_iter().collect())
    }

    /// Whether somebody set this key, such as `http.listen`.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(key)
    }
}

impl<K: Into<String>> FromIterator<K> for Given {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        Self(keys.into_iter().map(Into::into).collect())
    }
}

/// Why there is no usable configuration. The text is one line and names the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{place}: {problem}")]
    Syntax {
        /// The file and the line.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A key that there is not.
    #[error("{place}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// The file or variable.
        place: String,
        /// The key as written.
        key: String,
        /// The nearest known key, in words.
        hint: String,
    },
    /// A value of the wrong shape.
    #[error("{place}: {problem}")]
    BadValue {
        /// The file, variable or flag.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// A well-formed value that cannot work.
    #[error("configuration key `{key}`: {problem}")]
    Invalid {
        /// The key.
        key: String,
        /// What would be right.
        problem: String,
    },
}

/// Reads all sources and checks the result.
///
/// # Errors
/// When a source cannot be read, has an unknown key, or a value cannot work.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut table = Table::new();
    let mut remarks = Vec::new();
    let file = sources.file.clone().or_else(default_file);
    if let Some(path) = &file {
        table = read_file(path)?;
    }
    // An empty variable counts as not set: compose files pass them for what the operator left out.
    let given = sources
        .environment
        .iter()
        .filter(|(_, value)| !value.is_empty());
    for (name, value) in given {
        let Some(key) = key_of_variable(name, &mut remarks)? else {
            continue;
        };
        set(&mut table, name, &key, value)?;
    }
    for flag in &sources.flags {
        set(&mut table, &flag.name, flag.key, &flag.value)?;
    }
    let given_keys = Given::of(&table);
    let is_rtmp_chosen = lookup(&table, "rtmp.listen").is_some();
    let mut config = shape(table, "configuration")?;
    config.rtmp.is_chosen = is_rtmp_chosen;
    config.given = given_keys;
    Server::settle(&mut config);
    config.check()?;
    Ok(Loaded {
        config,
        file,
        remarks,
    })
}

/// Every key, as `section.key`.
pub(super) fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    collect_keys(&known_tree(), "", &mut keys);
    keys
}

fn default_file() -> Option<PathBuf> {
    let path = PathBuf::from("tallylight.toml");
    path.is_file().then_some(path)
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| {
            1 + text
                .bytes()
                .take(span.start)
                .filter(|&byte| byte == b'\n')
                .count()
        });
        ConfigError::Syntax {
            place: format!("{}, line {line}", path.display()),
            problem: error.message().to_owned(),
        }
    })?;
    let place = path.display().to_string();
    refuse_unknown(&table, &known_tree(), "", &place)?;
    shape(table.clone(), &place)?;
    Ok(table)
}

fn shape(table: Table, place: &str) -> Result<Config, ConfigError> {
    Config::deserialize(table).map_err(|error| ConfigError::BadValue {
        place: place.to_owned(),
        problem: error.to_string().trim().replace('\n', " "),
    })
}

/// All keys with a value each, which tells the type.
fn known_tree() -> Table {
    let mut config = Config::default();
    config.ice.servers.push(IceServer::default());
    config.oidc.providers.push(OidcProvider::default());
    Table::try_from(&config).unwrap_or_default()
}

fn refuse_unknown(
    given: &Table,
    known: &Table,
    parent: &str,
    place: &str,
) -> Result<(), ConfigError> {
    for (name, value) in given {
        let path = join(parent, name);
        let Some(model) = known.get(name) else {
            return Err(unknown_key(place, &path));
        };
        match (value, model) {
            (Value::Table(value), Value::Table(model)) => {
                refuse_unknown(value, model, &path, place)?;
            }
            (Value::Array(values), Value::Array(models)) => {
                let model = models.first().and_then(Value::as_table);
                for (value, model) in values.iter().filter_map(Value::as_table).zip(model) {
                    refuse_unknown(value, model, &path, place)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn unknown_key(place: &str, key: &str) -> ConfigError {
    ConfigError::UnknownKey {
        place: place.to_owned(),
        key: key.to_owned(),
        hint: nearest(key, known_keys()).map_or_else(
            || "; `tallylight config example` prints all keys".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        ),
    }
}

fn nearest(key: &str, known: Vec<String>) -> Option<String> {
    let similarity = |candidate: &String| strsim::jaro_winkler(key, candidate);
    known
        .into_iter()
        .map(|candidate| (similarity(&candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

fn collect_keys(table: &Table, parent: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        let path = join(parent, name);
        match value {
            Value::Table(inner) => {
                // The section itself, so that a mistyped `[htpp]` finds `http`.
                keys.push(path.clone());
                collect_keys(inner, &path, keys);
            }
            Value::Array(values) => {
                keys.push(path.clone());
                if let Some(inner) = values.first().and_then(Value::as_table) {
                    collect_keys(inner, &path, keys);
                }
            }
            _ => keys.push(path),
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}.{name}")
    }
}

/// The key that a variable sets; `None` when it is none of ours.
fn key_of_variable(name: &str, remarks: &mut Vec<String>) -> Result<Option<String>, ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return Ok(None);
    };
    let settable: Vec<String> = known_keys()
        .into_iter()
        .filter(|key| key.contains('.') && !key.starts_with("ice.") && !key.starts_with("oidc."))
        .collect();
    if let Some(key) = settable.iter().find(|key| variable_suffix(key) == rest) {
        return Ok(Some(key.clone()));
    }
    if ELSEWHERE.contains(&rest) {
        return Ok(None);
    }
    let near = settable
        .iter()
        .map(|key| variable_suffix(key))
        .map(|known| (strsim::normalized_levenshtein(rest, &known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((similarity, near)) if similarity >= TYPING_ERROR => Err(ConfigError::UnknownKey {
            place: "environment".to_owned(),
            key: name.to_owned(),
            hint: format!("; did you mean `{PREFIX}{near}`?"),
        }),
        _ => {
            remarks.push(format!("environment variable {name} sets nothing"));
            Ok(None)
        }
    }
}

fn variable_suffix(key: &str) -> String {
    key.replace('.', "_").to_uppercase()
}

fn set(table: &mut Table, name: &str, key: &str, text: &str) -> Result<(), ConfigError> {
    let known = known_tree();
    let value = typed(lookup(&known, key), text).ok_or_else(|| ConfigError::BadValue {
        place: name.to_owned(),
        problem: format!("`{text}` does not fit `{key}`; `tallylight config example` shows it"),
    })?;
    insert(table, key, value);
    shape(table.clone(), name).map(drop)
}

fn lookup<'a>(table: &'a Table, key: &str) -> Option<&'a Value> {
    match key.split_once('.') {
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
        None => table.get(key),
    }
}

fn insert(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            let inner = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Some(inner) = inner.as_table_mut() {
                insert(inner, rest, value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// The text as a value of the same type as the model.
fn typed(model: Option<&Value>, text: &str) -> Option<Value> {
    match model? {
        Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.trim().parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            Some(Value::Array(items.map(Value::from).collect()))
        }
        _ => Some(Value::from(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_file(text: &str) -> Result<Loaded, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tallylight.toml");
        std::fs::write(&file, text).unwrap();
        load(&Sources {
            file: Some(file),
            ..Sources::default()
        })
    }

    fn from_environment(pairs: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let pairs = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        load(&Sources {
            environment: pairs.collect(),
            ..Sources::default()
        })
    }

    #[test]
    fn without_sources_the_defaults_hold() {
        assert_eq!(load(&Sources::default()).unwrap().config, Config::default());
    }

    #[test]
    fn each_source_beats_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tallylight.toml");
        std::fs::write(&file, "[media]\nport = 1001\nthreads = 3\n").unwrap();
        let loaded = load(&Sources {
            file: Some(file),
            environment: vec![
                ("TALLYLIGHT_MEDIA_PORT".into(), "1002".into()),
                (
                    "TALLYLIGHT_MEDIA_PUBLIC_IPS".into(),
                    "192.0.2.1, 2001:db8::1".into(),
                ),
                ("TALLYLIGHT_HTTP_LISTEN".into(), "127.0.0.1:1".into()),
            ],
            flags: vec![Override {
                name: "--http".into(),
                key: "http.listen",
                value: "127.0.0.1:2".into(),
            }],
        });
        let config = loaded.unwrap().config;
        assert_eq!(config.media.port, 1002);
        assert_eq!(config.media.threads, 3);
        assert_eq!(config.media.public_ips.len(), 2);
        assert_eq!(config.http.listen.port(), 2);
    }

    #[test]
    fn an_address_that_somebody_chose_is_told_from_the_default() {
        let is_chosen = |loaded: Result<Loaded, _>| loaded.unwrap().config.rtmp.is_chosen;
        assert!(!is_chosen(load(&Sources::default())));
        assert!(!is_chosen(from_file("[rtmp]\ntls_listen = \"off\"\n")));
        assert!(is_chosen(from_file("[rtmp]\nlisten = \"0.0.0.0:1935\"\n")));
        assert!(is_chosen(from_environment(&[(
            "TALLYLIGHT_RTMP_LISTEN",
            "0.0.0.0:1935"
        )])));
    }

    #[test]
    fn keys_that_somebody_set_are_told_from_defaults() {
        let given = |loaded: Result<Loaded, _>| loaded.unwrap().config.given;
        let key = "accounts.registration";
        assert!(!given(load(&Sources::default())).has(key));
        // What is set to its default is set all the same.
        let file = given(from_file("[accounts]\nregistration = \"invite\"\n"));
        assert!(file.has(key) && !file.has("accounts.new_accounts"));
        let variable = ("TALLYLIGHT_ACCOUNTS_REGISTRATION", "open");
        assert!(given(from_environment(&[variable])).has(key));
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = from_file("[http]\nlisen = \"0.0.0.0:1\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown key `http.lisen`"), "{error}");
        assert!(error.contains("did you mean `http.listen`?"), "{error}");
        let error = from_file("[htpp]\n").unwrap_err().to_string();
        assert!(error.contains("did you mean `http`?"), "{error}");
        let error = from_file("[[ice.servers]]\nurl = []\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("did you mean `ice.servers.urls`?"),
            "{error}"
        );
    }

    #[test]
    fn a_mistyped_variable_is_refused_and_a_foreign_one_is_remarked() {
        let error = from_environment(&[("TALLYLIGHT_MEDIA_PROT", "1")]).unwrap_err();
        assert!(
            error.to_string().contains("TALLYLIGHT_MEDIA_PORT"),
            "{error}"
        );
        let loaded = from_environment(&[("TALLYLIGHT_BINARY", "x"), ("HOME", "/")]).unwrap();
        assert_eq!(loaded.remarks.len(), 1);
    }

    #[test]
    fn a_bad_value_names_its_source() {
        let error = from_environment(&[("TALLYLIGHT_MEDIA_PORT", "many")]).unwrap_err();
        assert!(
            error.to_string().starts_with("TALLYLIGHT_MEDIA_PORT:"),
            "{error}"
        );
        let error = from_environment(&[("TALLYLIGHT_MEDIA_PORT", "70000")]).unwrap_err();
        assert!(
            error.to_string().starts_with("TALLYLIGHT_MEDIA_PORT:"),
            "{error}"
        );
        let error = from_file("a = [\n").unwrap_err().to_string();
        assert!(error.contains("line"), "{error}");
        let error = from_file("[http]\npublic_url = \"live.example\"\n").unwrap_err();
        assert!(error.to_string().contains("http.public_url"), "{error}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = load(&Sources {
            file: Some("/nowhere/tallylight.toml".into()),
            ..Sources::default()
        });
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("/nowhere/tallylight.toml")
        );
    }
}
