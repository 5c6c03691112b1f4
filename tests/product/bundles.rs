//! Signed bundles at the console: what is taken, what is refused and why, and how it is taken back. Made with the script
//! that makes real ones.

use crate::doctor::{carrel, done, sound};
use crate::supplier::{make_bundle, make_key};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::model_directory;

/// A data directory, a supplier's key that it trusts, and where bundles are made.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    pub(crate) data: PathBuf,
}

impl Site {
    pub(crate) fn new() -> Self {
        let (folder, data) = sound();
        let site = Self { folder, data };
        std::fs::create_dir(site.path("ring")).unwrap();
        site.key("supplier");
        std::fs::copy(site.path("supplier.pub"), site.path("ring/supplier.pub")).unwrap();
        site
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn key(&self, name: &str) {
        make_key(self.folder.path(), name);
    }

    /// Makes a bundle of these files; `settings` are those of package.sh.
    pub(crate) fn bundle(
        &self,
        kind: &str,
        sequence: u64,
        files: &[(&str, &str)],
        settings: &[(&str, &str)],
    ) -> String {
        let folder = self.folder.path().join(format!("{kind}-{sequence}"));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
        self.sign(kind, sequence, &folder, settings)
    }

    fn sign(&self, kind: &str, sequence: u64, files: &Path, settings: &[(&str, &str)]) -> String {
        make_bundle(self.folder.path(), kind, sequence, files, settings)
    }

    fn run(&self, arguments: &[&str]) -> (bool, String) {
        let (ring, glossary, crl) = (self.path("ring"), self.path("lists/glossary.csv"), self.path("lists/people.crl"));
        let (program, authority) = (self.path("program"), self.path("authority.pem"));
        let mut settings = vec![
            ("CARREL_BUNDLES__KEYS", ring.as_str()),
            ("CARREL_BUNDLES__PROGRAM", program.as_str()),
            ("CARREL_TLS__CLIENT_CA", authority.as_str()),
            ("CARREL_TLS__CLIENT_CRL", crl.as_str()),
        ];
        settings.push(("CARREL_SEARCH__GLOSSARY", glossary.as_str()));
        let output = carrel(&self.data, &settings, arguments);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.success(), said)
    }

    #[track_caller]
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        let (well, said) = self.run(arguments);
        assert!(well, "carrel {arguments:?}: {said}");
        said
    }

    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &[&str], words: &str) {
        let (well, said) = self.run(arguments);
        assert!(!well && said.contains(words), "carrel {arguments:?} should be refused ({words}): {said}");
    }

    fn glossary(&self) -> String {
        std::fs::read_to_string(self.path("lists/glossary.csv")).unwrap_or_default()
    }

    /// The audit log's events of this action.
    pub(crate) fn events(&self, action: &str) -> Vec<Value> {
        let file = self.path("log.jsonl");
        let _ = std::fs::remove_file(&file);
        done(&self.data, &["audit", "export", "--output", &file]);
        let lines = std::fs::read_to_string(&file).unwrap();
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.filter(|entry| entry["event"]["action"] == action).map(|entry| entry["event"].clone()).collect()
    }
}

const FIRST: (&str, &str) = ("glossary.csv", "VPN,virtual private network\n");
const SECOND: (&str, &str) = ("glossary.csv", "PO,People Office\n");

#[test]
fn vocabulary_is_taken_listed_and_taken_back() {
    let site = Site::new();
    let first = site.bundle("lists", 1, &[FIRST], &[]);
    let second = site.bundle("lists", 2, &[SECOND], &[]);
    let verified: Value = serde_json::from_str(&site.does(&["bundle", "verify", &first, "--json"])).unwrap();
    assert_eq!((&verified["kind"], &verified["sequence"]), (&"lists".into(), &1.into()));
    assert_eq!(site.glossary(), "", "looking puts nothing into force");
    assert!(site.does(&["bundle", "apply", &first]).contains("takes it up at its next start"));
    assert_eq!(site.glossary(), FIRST.1);
    site.does(&["bundle", "apply", &second]);
    assert_eq!(site.glossary(), SECOND.1);
    assert!(site.does(&["bundle", "list"]).contains("0.9.2"));

    site.refuses(&["bundle", "apply", &first], "it is old: lists 0.9.1 has the sequence 1, and 2 was taken before");
    site.refuses(&["bundle", "apply", &second], "an old bundle is not played again");
    assert!(site.does(&["bundle", "rollback", "lists"]).contains("in their place again"));
    assert_eq!(site.glossary(), FIRST.1);
    site.refuses(&["bundle", "rollback", "lists"], "no bundle of the kind 'lists' is in force");
    site.does(&["bundle", "apply", &second]);
    assert_eq!(site.glossary(), SECOND.1, "what was rolled back may come again");
    site.does(&["bundle", "apply", &first, "--allow-downgrade"]);
    assert_eq!(site.glossary(), FIRST.1);

    let broken = site.bundle("lists", 7, &[("glossary.csv", "VPN,x\nalone\n")], &[]);
    site.refuses(&["bundle", "apply", &broken], "line 2");
    let stranger = site.bundle("lists", 8, &[("carrel.toml", "")], &[]);
    site.refuses(&["bundle", "apply", &stranger], "does not hold 'carrel.toml'");
    assert_eq!(site.glossary(), FIRST.1, "what was in force still is");

    assert_eq!(site.events("bundle.verified").len(), 1);
    assert_eq!(site.events("bundle.applied").len(), 4);
    assert_eq!(site.events("bundle.rolled_back").len(), 1);
    let refused: Vec<String> = site
        .events("bundle.refused")
        .iter()
        .map(|event| event["detail"]["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(refused, ["old", "old", "unsound", "kind"]);
}

#[test]
fn without_a_setting_vocabulary_has_a_place_of_its_own() {
    let site = Site::new();
    let (bundle, ring) = (site.bundle("lists", 1, &[FIRST], &[]), site.path("ring"));
    let run = |arguments: &[&str]| carrel(&site.data, &[("CARREL_BUNDLES__KEYS", ring.as_str())], arguments);
    assert!(run(&["bundle", "apply", &bundle]).status.success());
    let place = site.data.join("lists/glossary.csv");
    assert_eq!(std::fs::read_to_string(&place).unwrap(), FIRST.1);
    assert!(run(&["doctor"]).status.success(), "it is read where it lies");
    std::fs::write(&place, "alone\n").unwrap();
    assert!(!run(&["doctor"]).status.success());
    assert!(run(&["bundle", "rollback", "lists"]).status.success());
    assert!(!place.exists());
}

#[test]
fn each_kind_of_tampering_is_refused_with_its_reason() {
    let site = Site::new();
    let good = site.bundle("lists", 5, &[FIRST], &[]);
    let bytes = std::fs::read(&good).unwrap();
    let tampered = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        let file = site.path(name);
        std::fs::write(&file, bytes).unwrap();
        file
    };
    let replace = |bytes: &mut Vec<u8>, from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
    };
    let inside = bytes.windows(15).position(|window| window == b"virtual private").unwrap();
    for length in [0, 300, 700, inside] {
        let cut = tampered("cut.carrel", &|bytes| bytes.truncate(length));
        site.refuses(&["bundle", "verify", &cut], "refused: the file is cut short");
    }
    let altered = tampered("altered.carrel", &|bytes| replace(bytes, "virtual private", "virtual pirates"));
    site.refuses(&["bundle", "apply", &altered], "'glossary.csv' is not what was signed");
    let forged = tampered("forged.carrel", &|bytes| replace(bytes, "\"sequence\": 5", "\"sequence\": 9"));
    site.refuses(&["bundle", "apply", &forged], "it was forged, or the file was altered");

    site.key("stranger");
    let key = site.path("stranger.key");
    let unknown = site.bundle("lists", 6, &[FIRST], &[("KEY", &key)]);
    site.refuses(&["bundle", "apply", &unknown], "no trusted key signed it");
    let sparc = site.bundle("lists", 7, &[FIRST], &[("ARCHITECTURE", "sparc64")]);
    site.refuses(&["bundle", "apply", &sparc], "for another kind of processor ('sparc64')");
    let foreign = signed_again(&site, &good, "s/\"carrel\"/\"lectern\"/");
    site.refuses(&["bundle", "apply", &foreign], "for another product ('lectern')");
    let later = signed_again(&site, &good, "s/\"format\": 1/\"format\": 2/");
    site.refuses(&["bundle", "apply", &later], "newer than this release understands");
    let outside = signed_again(&site, &good, "s/glossary.csv/..\\/glossary/");
    site.refuses(&["bundle", "apply", &outside], "no plain relative name");
    let more = site.path("more.carrel");
    std::fs::copy(&good, &more).unwrap();
    std::fs::write(site.path("extra"), "x").unwrap();
    let folder = site.folder.path().to_str().unwrap().to_owned();
    assert!(Command::new("tar").args(["-rf", &more, "-C", &folder, "extra"]).status().unwrap().success());
    site.refuses(&["bundle", "apply", &more], "it holds 'extra', which its manifest does not name");

    std::fs::remove_file(site.path("ring/supplier.pub")).unwrap();
    site.refuses(&["bundle", "apply", &good], "no key is trusted here");
    assert_eq!(site.glossary(), "", "nothing was put into force");
    let codes: Vec<Value> = site.events("bundle.refused").iter().map(|event| event["detail"]["code"].clone()).collect();
    for code in [
        "cut",
        "altered",
        "forged",
        "unknown_key",
        "other_architecture",
        "other_product",
        "format",
        "manifest",
        "unnamed_member",
        "no_keys",
    ] {
        assert!(codes.contains(&code.into()), "{code} is in the log: {codes:?}");
    }
}

/// The bundle with its manifest changed by sed, and signed by the trusted key again.
fn signed_again(site: &Site, bundle: &str, change: &str) -> String {
    let (work, out) = (site.path("again"), site.path("again.carrel"));
    let key = site.path("supplier.key");
    let script = "rm -rf $1; mkdir $1; tar -xf $2 -C $1; cd $1; sed -i \"$3\" manifest.json
        openssl pkeyutl -sign -inkey $4 -rawin -in manifest.json -out manifest.sig
        tar -cf $5 --format=ustar manifest.json manifest.sig glossary.csv";
    let status = Command::new("sh").args(["-ec", script, "sh", &work, bundle, change, &key, &out]).status().unwrap();
    assert!(status.success());
    out
}

#[test]
fn an_apply_that_was_cut_short_goes_on() {
    let site = Site::new();
    let bundle = site.bundle("lists", 1, &[FIRST], &[]);
    let verified: Value = serde_json::from_str(&site.does(&["bundle", "verify", &bundle, "--json"])).unwrap();
    let incoming = site.data.join("bundles/incoming").join(&verified["id"].as_str().unwrap()[..32]);
    std::fs::create_dir_all(&incoming).unwrap();
    std::fs::write(incoming.join("glossary.csv"), &FIRST.1[..9]).unwrap();
    std::fs::write(incoming.join(".partial-0123456789abcdef"), "rest").unwrap();
    site.does(&["bundle", "apply", &bundle]);
    assert_eq!(site.glossary(), FIRST.1);
    assert!(!incoming.exists(), "nothing is left of it");
}

#[test]
fn a_trusted_key_brings_the_next_one() {
    let site = Site::new();
    site.key("next");
    let (next, next_key) = (site.path("next.pub"), site.path("next.key"));
    let keys = site.does(&["bundle", "keys", "--json"]);
    let keys: Value = serde_json::from_str(&keys).unwrap();
    let old = keys["keys"][0]["id"].as_str().unwrap().to_owned();
    let by_next = site.bundle("lists", 1, &[FIRST], &[("KEY", &next_key)]);
    site.refuses(&["bundle", "apply", &by_next], "no trusted key signed it");
    let alone = site.bundle("keys", 1, &[], &[("REMOVE_KEYS", &old)]);
    site.refuses(&["bundle", "apply", &alone], "no key would be trusted any more");
    let rotation = site.bundle("keys", 2, &[], &[("ADD_KEYS", &next), ("REMOVE_KEYS", &old)]);
    assert!(site.does(&["bundle", "apply", &rotation]).contains("1 keys came, 1 are no longer trusted"));
    site.does(&["bundle", "apply", &by_next]);
    let by_old = site.bundle("lists", 2, &[SECOND], &[]);
    site.refuses(&["bundle", "apply", &by_old], "no trusted key signed it");
    assert_eq!(site.glossary(), FIRST.1);
}

#[test]
fn models_go_through_every_check_of_an_import() {
    let site = Site::new();
    let folder = site.folder.path().join("packs");
    std::fs::create_dir(&folder).unwrap();
    let gguf = model_directory().join("smollm2-135m-instruct-q4_1.gguf");
    assert!(Command::new("cp").arg("-L").arg(gguf).arg(folder.join("small.gguf")).status().unwrap().success());
    let good = site.sign("models", 1, &folder, &[]);
    std::fs::write(folder.join("broken.gguf"), "GGUF and nothing more").unwrap();
    let bad = site.sign("models", 2, &folder, &[]);
    site.refuses(&["bundle", "apply", &bad], "broken.gguf:");
    assert!(!site.does(&["model", "list"]).contains("small"), "all of it or nothing");
    assert!(site.does(&["bundle", "apply", &good]).contains("imported small"));
    assert!(!site.data.join("bundles/quarantine").read_dir().unwrap().any(|_| true), "quarantine is empty again");
    // The first of its kind is in use at once: then it stays.
    site.refuses(&["bundle", "rollback", "models"], "'small' is in use");
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_byte() {
    let site = Site::new();
    let disk = site.folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=200m,mode=700", "carrel-test"]).arg(&disk);
    if !mount.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine permits no mounts");
        return;
    }
    let small = Site { folder: tempfile::tempdir_in(&disk).unwrap(), data: disk.join("data") };
    let copied = Command::new("cp").arg("-a").arg(&site.data).arg(&small.data).status().unwrap();
    assert!(copied.success());
    std::fs::create_dir(small.path("ring")).unwrap();
    std::fs::copy(site.path("supplier.pub"), small.path("ring/supplier.pub")).unwrap();
    let large = site.folder.path().join("large");
    std::fs::create_dir(&large).unwrap();
    std::fs::write(large.join("large.gguf"), vec![0; 80 << 20]).unwrap();
    let bundle = site.sign("models", 1, &large, &[]);
    let (well, said) = small.run(&["bundle", "apply", &bundle]);
    let left = small.data.join("bundles/quarantine").exists();
    drop(small);
    let _ = Command::new("umount").arg("--lazy").arg(&disk).status();
    assert!(!well && said.contains("MB are needed; make room") && !left, "{said}");
}

/// A release that is this program under another version, with words of its own for some commands.
fn release(site: &Site, version: u64, own: &str) -> PathBuf {
    let folder = site.folder.path().join(format!("release-{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    let real = env!("CARGO_BIN_EXE_carrel");
    let script = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" != --version ] || {{ echo 'carrel 0.9.{version}'; exit; }}; done\n\
         real={real}\n{own}\nexec $real \"$@\"\n"
    );
    std::fs::write(folder.join("carrel"), script).unwrap();
    std::fs::set_permissions(folder.join("carrel"), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// An installation whose release in use is 0.9.0.
fn installed() -> Site {
    let site = Site::new();
    let program = site.folder.path().join("program");
    std::fs::create_dir_all(program.join("releases")).unwrap();
    std::fs::rename(release(&site, 0, ""), program.join("releases/0.9.0")).unwrap();
    std::os::unix::fs::symlink("releases/0.9.0", program.join("current")).unwrap();
    site
}

impl Site {
    fn current(&self) -> String {
        let link = std::fs::read_link(self.path("program/current")).unwrap();
        link.file_name().unwrap().to_str().unwrap().split('-').next().unwrap().to_owned()
    }

    fn people(&self) -> String {
        self.does(&["user", "list"])
    }
}

/// Has its database carry a mark of its own, as a newer schema would.
const MIGRATES: &str = "case \"$*\" in
*'bundle adopt'*) $real \"$@\" || exit; python3 - \"$2/carrel.db\" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('CREATE TABLE of_the_newer_release (x)')
db.execute(\"INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, execution_time FROM _sqlx_migrations LIMIT 1\")
db.commit()
db.close()
END
exit ;;
*selftest*) exit 0 ;;
esac";

#[test]
fn a_release_migrates_a_copy_and_the_database_before_stays_as_it_was() {
    let site = installed();
    let folder = release(&site, 3, MIGRATES);
    let bundle = site.sign("program", 3, &folder, &[]);
    let lock = std::fs::File::options().append(true).open(site.data.join("index.lock")).unwrap();
    lock.lock().unwrap();
    site.refuses(&["bundle", "apply", &bundle], "stop it first");
    drop(lock);
    assert!(site.does(&["bundle", "apply", &bundle]).contains("brought up on a copy"));
    assert_eq!(site.current(), "0.9.3");
    site.refuses(&["user", "list"], "written by a newer release");
    assert!(site.does(&["bundle", "list"]).contains("0.9.3"));
    // Nothing was written since: back without a further word.
    let back = site.does(&["bundle", "rollback", "program"]);
    assert!(back.contains("0 events written since"), "{back}");
    assert_eq!(site.current(), "0.9.0");
    assert!(site.people().contains("ada"));
    let events = site.events("bundle.rolled_back");
    assert_eq!(events[0]["detail"]["version"], "0.9.3", "{events:?}");
    done(&site.data, &["selftest"]);
    // The same bundle may come again, an older one may not.
    site.does(&["bundle", "apply", &bundle]);
    site.does(&["bundle", "rollback", "program"]);
    let older = site.sign("program", 2, &release(&site, 2, MIGRATES), &[]);
    site.refuses(&["bundle", "apply", &older], "it is old: program 0.9.2");
    site.refuses(&["bundle", "apply", &older, "--allow-downgrade"], "it is old");
}

#[test]
fn what_was_written_since_is_given_up_only_when_somebody_says_so() {
    let site = installed();
    let bundle = site.sign("program", 1, &release(&site, 1, ""), &[]);
    site.does(&["bundle", "apply", &bundle]);
    assert_eq!(site.events("bundle.applied").len(), 1);
    let password = site.path("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    site.does(&["user", "create", "late", "--password-file", &password]);
    site.refuses(&["bundle", "rollback", "program"], "1 accounts made or changed): going back gives them up");
    assert_eq!(site.current(), "0.9.1");
    let back: Value =
        serde_json::from_str(&site.does(&["bundle", "rollback", "program", "--discard-since", "--json"])).unwrap();
    assert_eq!(site.current(), "0.9.0");
    assert!(!site.people().contains("late"));
    let kept = Path::new(back["kept_in"].as_str().unwrap()).join("carrel.db");
    assert!(kept.is_file(), "what was given up is put aside");
    let event = site.events("bundle.rolled_back").pop().unwrap();
    assert!(event["detail"]["discarded_events"].as_u64().unwrap() >= 1, "{event}");
    assert_eq!(event["detail"]["discarded_head"].as_str().unwrap().len(), 64, "the log that was given up is named");
    assert!(!site.data.join("index").exists(), "the index of the other database is made anew");
}

#[test]
fn a_release_that_does_not_stand_its_test_changes_nothing() {
    let site = installed();
    let before = site.events("bundle.applied").len();
    let cases = [
        (4, "case \"$*\" in *adopt*) echo 'the migration failed' >&2; exit 1 ;; esac", "the migration failed"),
        (5, "case \"$*\" in *selftest*) echo 'nothing works' >&2; exit 1 ;; esac", "nothing works"),
    ];
    for (version, own, reason) in cases {
        let bundle = site.sign("program", version, &release(&site, version, own), &[]);
        site.refuses(&["bundle", "apply", &bundle], reason);
        assert_eq!(site.current(), "0.9.0");
        assert!(site.people().contains("ada"), "the database is the one before");
    }
    let liar = site.sign("program", 7, &release(&site, 6, ""), &[]);
    site.refuses(&["bundle", "apply", &liar], "it says 'carrel 0.9.6', and the manifest '0.9.7'");
    assert_eq!(site.events("bundle.applied").len(), before);
    assert_eq!(site.events("bundle.refused").len(), 3);
}

#[test]
fn between_two_databases_nothing_starts_until_the_update_is_ended() {
    let site = installed();
    let data = &site.data;
    std::fs::create_dir_all(data.join("bundles/trial")).unwrap();
    std::fs::create_dir_all(data.join("bundles/before")).unwrap();
    std::fs::copy(data.join("carrel.db"), data.join("bundles/trial/carrel.db")).unwrap();
    std::fs::rename(data.join("carrel.db"), data.join("bundles/before/carrel.db")).unwrap();
    let switch = serde_json::json!({
        "aside": data.join("bundles/before"), "from": data.join("bundles/trial"), "program": null, "drop_index": false,
    });
    std::fs::write(data.join("bundles/switch.json"), switch.to_string()).unwrap();
    site.refuses(&["user", "list"], "'carrel bundle resume' ends it");
    assert!(!data.join("carrel.db").exists(), "no empty database was made");
    assert!(site.does(&["bundle", "resume"]).contains("the update is complete"));
    assert!(site.people().contains("ada"));
}

#[tokio::test]
async fn the_first_start_of_another_root_migrates_a_copy_and_falls_back_to_the_untouched_one() {
    let site = Site::new();
    let (before, after) = (site.path("data/bundles/before"), site.path("data/bundles/after-0.9"));
    // What SQLite still has in its journal goes into the file first.
    crate::doctor::run(&site.data, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    let original = std::fs::read(site.data.join("carrel.db")).unwrap();
    site.does(&["bundle", "migrate", "--aside", &before]);
    assert_eq!(std::fs::read(Path::new(&before).join("carrel.db")).unwrap(), original, "untouched");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&site.data.join("carrel.db")), 0o600);
    let password = site.path("password");
    std::fs::write(&password, "quiet herons at noon\n").unwrap();
    site.does(&["user", "create", "late", "--password-file", &password]);
    site.does(&["bundle", "migrate", "--aside", &after, "--back", &before]);
    assert!(site.people().contains("ada") && !site.people().contains("late"));
    assert!(Path::new(&after).join("carrel.db").is_file());
}
