//! Everything that a server keeps, in one file, and back.
//!
//! The database goes in as an SQLite file whatever it is, so that a backup moves from one kind of
//! database to the other as well. Recordings are large and go in on demand.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::migrate::MigrateError;
use tar::{Archive, Builder, EntryType, Header};

use crate::db::{Copied, CopyError, Db, StoreError, copy};

/// What a backup holds, as its first entry says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program that made it.
    pub version: String,
    /// When.
    pub made_at: Timestamp,
    /// Whether recordings are in it.
    pub recordings: bool,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The tables.
    pub tables: Vec<Copied>,
    /// Files beside the database.
    pub files: u64,
}

/// Why there is no backup, or it was not restored. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// A file.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is no backup, or is damaged.
    #[error("{path} is no backup of Tallylight: {why}", path = path.display())]
    NoBackup {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The data folder is in use.
    #[error(
        "the data folder {path} is in use: it holds {name}; restore into an empty folder with --data",
        path = path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// What is there.
        name: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Copying the database.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

const MANIFEST: &str = "backup.json";
const DATABASE: &str = "tallylight.sqlite";
/// What files of SQLite begin with.
const SQLITE: &[u8; 16] = b"SQLite format 3\0";
/// Where recordings and the window of live streams lie.
const MEDIA: &str = "media";
/// Longest manifest.
const MOST_MANIFEST_BYTES: u64 = 64 * 1024;

/// Writes all that the server keeps into `file`, which must not be there. The server may run meanwhile.
///
/// # Errors
/// When the database or a file cannot be read, or `file` cannot be made; it is removed again then.
pub async fn make(
    db: &Db,
    data: &Path,
    file: &Path,
    recordings: bool,
    now: Timestamp,
) -> Result<Report, BackupError> {
    let room = Room::beside(file)?;
    let tables = copy_out(db, &room.database()).await?;
    let manifest = Manifest {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        recordings,
    };
    let (data, file) = (data.to_owned(), file.to_owned());
    let database = room.database();
    let packed = blocking(move || {
        let out = create(&file)?;
        // From here on the file is ours to remove.
        let packed = pack(&manifest, &database, &data, &file, out);
        packed.inspect_err(|_| drop(fs::remove_file(&file)))
    });
    let files = packed.await?;
    Ok(Report { tables, files })
}

/// Puts a backup's files into the data folder and its rows into the database; both must be empty.
/// `open` opens the database and brings it up to date, and is called once the files are there.
///
/// # Errors
/// When the file is no backup, something is in the way, or cannot be written.
pub async fn restore<E: From<BackupError>>(
    file: &Path,
    data: &Path,
    open: impl AsyncFnOnce() -> Result<Db, E>,
) -> Result<(Manifest, Report), E> {
    let room = Room::beside(data)?;
    let (into, from, database) = (data.to_owned(), file.to_owned(), room.database());
    let refused = into.clone();
    blocking(move || refuse_used(&refused)).await?;
    let restored = async {
        let (manifest, files) = blocking(move || unpack(&from, &into, &database)).await?;
        let db = open().await?;
        let tables = copy_in(&room.database(), &db).await;
        db.close().await;
        let tables = tables?;
        Ok((manifest, Report { tables, files }))
    };
    let restored = restored.await;
    if restored.is_err() {
        // The folder was empty before: another try must not find half of this one.
        let data = data.to_owned();
        blocking(move || clear(&data)).await?;
    }
    restored
}

/// A folder for the database on its way, gone with this value.
struct Room(tempfile::TempDir);

impl Room {
    fn beside(path: &Path) -> Result<Self, BackupError> {
        let parent = path.parent().filter(|parent| parent.is_dir());
        let parent = parent.unwrap_or(Path::new("."));
        let folder = tempfile::Builder::new()
            .prefix(".tallylight-")
            .tempdir_in(parent);
        folder.map(Self).map_err(of(parent))
    }

    fn database(&self) -> PathBuf {
        self.0.path().join(DATABASE)
    }
}

fn url_of(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// Copies the database into a file of its own.
async fn copy_out(db: &Db, path: &Path) -> Result<Vec<Copied>, BackupError> {
    let file = Db::open(&url_of(path), 1, Path::new(".")).await?;
    file.migrate().await?;
    let copied = copy(db, &file).await;
    // The last connection to close leaves one file behind, without a log beside it.
    file.close().await;
    Ok(copied?)
}

async fn copy_in(path: &Path, db: &Db) -> Result<Vec<Copied>, BackupError> {
    let file = Db::open(&url_of(path), 1, Path::new(".")).await?;
    // A backup of an older version is brought up to date first.
    let copied = match file.migrate().await {
        Ok(()) => copy(&file, db).await.map_err(BackupError::from),
        Err(StoreError::Migrate(MigrateError::VersionMissing(version))) => {
            Err(StoreError::Newer(version).into())
        }
        Err(error) => Err(error.into()),
    };
    file.close().await;
    copied
}

fn create(file: &Path) -> Result<File, BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // It holds the secrets.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map_err(of(file))
}

fn pack(
    manifest: &Manifest,
    database: &Path,
    data: &Path,
    file: &Path,
    out: File,
) -> Result<u64, BackupError> {
    let mut tar = Builder::new(out);
    tar.follow_symlinks(false);
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| of(file)(error.into()))?;
    let mut header = Header::new_gnu();
    header.set_size(u64::try_from(text.len()).unwrap_or_default());
    header.set_mode(0o600);
    header.set_cksum();
    tar.append_data(&mut header, MANIFEST, text.as_slice())
        .map_err(of(file))?;
    tar.append_path_with_name(database, DATABASE)
        .map_err(of(database))?;
    let mut files = 0;
    for name in names(data)? {
        let is_left_out = name == MEDIA && !manifest.recordings;
        // Dot files are work in progress.
        if is_database(data, &name) || is_left_out || name.starts_with('.') {
            continue;
        }
        files += append(&mut tar, &data.join(&name), Path::new(&name))?;
    }
    let mut out = tar.into_inner().map_err(of(file))?;
    out.flush()
        .and_then(|()| out.sync_all())
        .map_err(of(file))?;
    Ok(files)
}

/// The database may lie in the data folder by any name that its URL gives it, with its journals beside
/// it; a copy of it is in the backup already.
fn is_database(data: &Path, name: &str) -> bool {
    let base = name.trim_end_matches("-wal").trim_end_matches("-shm");
    let mut head = [0; SQLITE.len()];
    let read = File::open(data.join(base)).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *SQLITE
}

/// Backups may lie in the data folder, this one among them: with one another in them each would be larger than all
/// before.
fn is_backup(path: &Path) -> bool {
    let mut head = [0; MANIFEST.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == *MANIFEST.as_bytes()
}

/// Files come and go while a server runs: one that is gone when its turn comes is left out, one that
/// grows goes in as long as it was.
fn append(tar: &mut Builder<File>, path: &Path, name: &Path) -> Result<u64, BackupError> {
    let Ok(facts) = path.symlink_metadata() else {
        return Ok(0);
    };
    if facts.is_dir() {
        let mut files = 0;
        for inner in names(path)? {
            files += append(tar, &path.join(&inner), &name.join(&inner))?;
        }
        return Ok(files);
    }
    if !facts.is_file() || is_backup(path) {
        return Ok(0);
    }
    let Ok(file) = File::open(path) else {
        return Ok(0);
    };
    let mut header = Header::new_gnu();
    header.set_metadata(&facts);
    header.set_size(facts.len());
    header.set_cksum();
    let content = file.take(facts.len());
    tar.append_data(&mut header, name, content)
        .map_err(of(path))?;
    Ok(1)
}

fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let mut names = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
        Err(error) => return Err(of(folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(of(folder))?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn refuse_used(data: &Path) -> Result<(), BackupError> {
    match names(data)?.pop() {
        Some(name) => Err(BackupError::InUse {
            path: data.to_owned(),
            name,
        }),
        None => Ok(()),
    }
}

fn clear(data: &Path) -> Result<(), BackupError> {
    for name in names(data)? {
        let path = data.join(name);
        let removed = match path.is_dir() {
            true => fs::remove_dir_all(&path),
            false => fs::remove_file(&path),
        };
        removed.map_err(of(&path))?;
    }
    Ok(())
}

fn unpack(file: &Path, data: &Path, database: &Path) -> Result<(Manifest, u64), BackupError> {
    let input = File::open(file).map_err(of(file))?;
    let damaged = |why: &dyn ToString| BackupError::NoBackup {
        path: file.to_owned(),
        why: why.to_string(),
    };
    let mut archive = Archive::new(input);
    let mut entries = archive.entries().map_err(|error| damaged(&error))?;
    let mut next = |name: &str| {
        let entry = entries
            .next()
            .transpose()
            .map_err(|error| damaged(&error))?;
        let entry = entry.ok_or_else(|| damaged(&"it is empty"))?;
        let is_it = entry.path().is_ok_and(|path| path == Path::new(name));
        match is_it {
            true => Ok(entry),
            false => Err(damaged(&format!("{name} is missing"))),
        }
    };
    let manifest = next(MANIFEST)?.take(MOST_MANIFEST_BYTES);
    let manifest = serde_json::from_reader(manifest).map_err(|error| damaged(&error))?;
    let unpacked = next(DATABASE)?.unpack(database);
    unpacked.map_err(|error| damaged(&error))?;
    crate::app::make_data_folder(data).map_err(|error| damaged(&error))?;
    let mut files = 0;
    for entry in entries {
        let mut entry = entry.map_err(|error| damaged(&error))?;
        if entry.header().entry_type() != EntryType::Regular {
            return Err(damaged(&"it holds what is no file"));
        }
        // False: its name leads out of the folder.
        if !entry.unpack_in(data).map_err(|error| damaged(&error))? {
            return Err(damaged(&"a name in it leads out of the data folder"));
        }
        files += 1;
    }
    Ok((manifest, files))
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panic) => Err(of(Path::new("backup"))(io::Error::other(panic))),
    }
}
