//! A folder that stands in for buckets: `BUCKET/KEY` is the file of that name below it.
//!
//! A bucket that has a folder there is that folder; every other one is S3's. Nobody gets out: a key
//! with a step that is empty, `.` or `..` names no file, and neither does one that leads outside by a
//! symbolic link.

use std::cmp::Ordering;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use asl::Failure;
use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::failure::named;
use super::objects::Page;

/// How much of a file is in memory at once.
const PIECE_BYTES: usize = 64 * 1024;

/// As many objects as S3 lists at once.
const PAGE: usize = 1000;

/// The folder of one bucket, with all links resolved.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// The bucket's folder below `root`, if it has one.
    pub(super) fn of(root: &Path, bucket: &str) -> Option<Directory> {
        let is_name =
            !bucket.is_empty() && !bucket.starts_with('.') && !bucket.contains(['/', '\\']);
        let folder = is_name.then(|| root.join(bucket))?;
        let folder = folder.canonicalize().ok()?;
        folder.is_dir().then_some(Directory(folder))
    }

    /// Opens the file that the key names.
    pub(super) async fn open(&self, key: &str) -> Result<Content, Failure> {
        let wanted = self.file(key).ok_or_else(no_such_key)?;
        let found = tokio::fs::canonicalize(wanted).await;
        let found = found.map_err(|e| cannot("open", key, &e))?;
        if !found.starts_with(&self.0) || found.is_dir() {
            return Err(no_such_key());
        }
        let file = File::open(found).await;
        Ok(Content(file.map_err(|e| cannot("open", key, &e))?))
    }

    /// Writes the file that the key names, whole or not at all.
    pub(super) async fn put(&self, key: &str, content: Bytes) -> Result<(), Failure> {
        let file = self.file(key).ok_or_else(|| {
            let cause = format!("The key {key:?} cannot be that of a file");
            named("S3.InvalidArgumentException".to_owned(), cause)
        })?;
        let written = self.write(&file, &content).await;
        written.map_err(|e| cannot("write", key, &e))
    }

    async fn write(&self, file: &Path, content: &[u8]) -> io::Result<()> {
        let folder = file.parent().unwrap_or(&self.0);
        tokio::fs::create_dir_all(folder).await?;
        let folder = tokio::fs::canonicalize(folder).await?;
        if !folder.starts_with(&self.0) {
            let what = "it is not in the bucket's folder";
            return Err(io::Error::new(ErrorKind::PermissionDenied, what));
        }
        let name = file.file_name().unwrap_or_default();
        let mut draft = name.to_owned();
        draft.push(".part");
        let draft = folder.join(draft);
        tokio::fs::write(&draft, content).await?;
        tokio::fs::rename(&draft, folder.join(name)).await
    }

    /// Keys that begin with `prefix` and come after `after`, in S3's order, which is that of their bytes.
    pub(super) async fn list(&self, prefix: &str, after: &str) -> Result<Page, Failure> {
        let mut walk = Walk {
            prefix: prefix.to_owned(),
            after: after.to_owned(),
            found: Vec::new(),
        };
        let folder = self.0.clone();
        let walked = tokio::task::spawn_blocking(move || {
            walk.folder(&folder, "")?;
            Ok::<_, io::Error>(walk.found)
        });
        let mut objects = walked
            .await
            .map_err(io::Error::other)
            .and_then(|found| found)
            .map_err(|e| cannot("list", prefix, &e))?;
        let more = objects.len() > PAGE;
        objects.truncate(PAGE);
        let last = objects.last().and_then(|object| object["Key"].as_str());
        Ok(Page {
            next: last.filter(|_| more).map(str::to_owned),
            objects,
        })
    }

    fn file(&self, key: &str) -> Option<PathBuf> {
        let is_step = |step: &str| !matches!(step, "" | "." | "..") && !step.contains(['\\', '\0']);
        key.split('/').all(is_step).then(|| self.0.join(key))
    }
}

/// Looks for one page of keys, and one key more.
struct Walk {
    prefix: String,
    after: String,
    found: Vec<Map<String, Value>>,
}

impl Walk {
    /// Takes what is in `folder`, whose keys begin with `path`.
    fn folder(&mut self, folder: &Path, path: &str) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A key is text; and a link may lead anywhere.
            let (Ok(name), kind) = (entry.file_name().into_string(), entry.file_type()?) else {
                continue;
            };
            if kind.is_dir() {
                entries.push((format!("{path}{name}/"), entry));
            } else if kind.is_file() {
                entries.push((format!("{path}{name}"), entry));
            }
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, entry) in entries {
            if self.found.len() > PAGE {
                break;
            }
            match key.ends_with('/') {
                true if self.may_have(&key) => self.folder(&entry.path(), &key)?,
                true => {}
                false if key.starts_with(&self.prefix) && key > self.after => {
                    self.found.push(object(&key, &entry.metadata()?));
                }
                false => {}
            }
        }
        Ok(())
    }

    /// Whether keys that begin with `path` may be among those that are looked for.
    fn may_have(&self, path: &str) -> bool {
        let on_the_way = path.starts_with(&self.prefix) || self.prefix.starts_with(path);
        let length = path.len().min(self.after.len());
        on_the_way
            && path.as_bytes()[..length].cmp(&self.after.as_bytes()[..length]) != Ordering::Less
    }
}

fn object(key: &str, metadata: &std::fs::Metadata) -> Map<String, Value> {
    let modified = metadata.modified().ok();
    let modified = modified.and_then(|moment| moment.duration_since(UNIX_EPOCH).ok());
    let modified = modified.unwrap_or_default();
    // S3's tag tells versions of an object apart, and so does this one.
    let tag = format!("\"{:x}-{:x}\"", modified.as_nanos(), metadata.len());
    let members = [
        ("Etag", json!(tag)),
        ("Key", json!(key)),
        ("LastModified", json!(modified.as_secs())),
        ("Size", json!(metadata.len())),
        ("StorageClass", json!("STANDARD")),
    ];
    Map::from_iter(members.map(|(name, value)| (name.to_owned(), value)))
}

/// A file that is being read.
pub(crate) struct Content(File);

impl Content {
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        let read = self.0.read_buf(&mut piece).await;
        let length = read.map_err(|e| format!("the file can't be read: {e}"))?;
        Ok((length > 0).then(|| piece.freeze()))
    }
}

fn cannot(what: &str, key: &str, why: &io::Error) -> Failure {
    match why.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => no_such_key(),
        _ => named(
            "S3.S3Exception".to_owned(),
            format!("Unable to {what} the file {key:?}: {why}"),
        ),
    }
}

fn no_such_key() -> Failure {
    named(
        "S3.NoSuchKeyException".to_owned(),
        "The specified key does not exist.".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let root = std::env::temp_dir().join(format!("rejoin-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(root.join("bucket")).expect("a folder");
            std::fs::write(root.join("secret"), "secret").expect("a file");
            Folder(root)
        }

        fn bucket(&self) -> Directory {
            Directory::of(&self.0, "bucket").expect("a bucket")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn nobody_gets_out() {
        let folder = Folder::new("escape");
        for name in ["", ".", "..", "bucket/..", "secret", "nobody"] {
            assert!(Directory::of(&folder.0, name).is_none(), "{name:?}");
        }
        let bucket = folder.bucket();
        std::os::unix::fs::symlink(&folder.0, folder.0.join("bucket/up")).expect("a link");
        for key in [
            "../secret",
            "a/../../secret",
            "/secret",
            "./x",
            "",
            "a//b",
            "up/secret",
        ] {
            assert!(bucket.open(key).await.is_err(), "{key:?} was read");
            let written = bucket.put(key, Bytes::from_static(b"x")).await;
            assert!(written.is_err(), "{key:?} was written");
        }
        let kept = std::fs::read_to_string(folder.0.join("secret"));
        assert_eq!(kept.expect("the file"), "secret");
    }

    #[tokio::test]
    async fn what_is_put_is_read_and_listed_in_the_order_of_bytes() {
        let folder = Folder::new("list");
        let bucket = folder.bucket();
        for key in ["a/b", "a-b", "a/c/d", "z", "a0", "b/x"] {
            bucket
                .put(key, Bytes::from_static(b"12"))
                .await
                .expect("put");
        }
        let keys = async |prefix: &str, after: &str| -> Vec<String> {
            let page = bucket.list(prefix, after).await.expect("a list");
            let keys = page
                .objects
                .iter()
                .map(|o| o["Key"].as_str().unwrap_or_default().to_owned());
            keys.collect()
        };
        assert_eq!(
            keys("", "").await,
            ["a-b", "a/b", "a/c/d", "a0", "b/x", "z"]
        );
        assert_eq!(keys("a/", "").await, ["a/b", "a/c/d"]);
        assert_eq!(keys("a", "a/b").await, ["a/c/d", "a0"]);
        assert_eq!(keys("q", "").await, [] as [&str; 0]);
        let mut content = bucket.open("a/c/d").await.expect("open");
        assert_eq!(content.chunk().await, Ok(Some(Bytes::from_static(b"12"))));
        assert_eq!(content.chunk().await, Ok(None));
    }

    #[tokio::test]
    async fn a_long_list_comes_in_pages() {
        let folder = Folder::new("pages");
        for index in 0..PAGE + 5 {
            let file = folder.0.join(format!("bucket/{index:05}"));
            std::fs::write(file, "").expect("a file");
        }
        let bucket = folder.bucket();
        let first = bucket.list("", "").await.expect("a page");
        assert_eq!(first.objects.len(), PAGE);
        let next = first.next.expect("there is more");
        let second = bucket.list("", &next).await.expect("a page");
        assert_eq!((second.objects.len(), second.next), (5, None));
    }
}
