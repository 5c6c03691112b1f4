//! The supplier of bundles: makes keys and signs, with the script that makes real ones.

use std::path::Path;
use std::process::Command;

/// Makes `name.key` and `name.pub` in `folder`.
pub(crate) fn make_key(folder: &Path, name: &str) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    let (key, public) = (format!("{name}.key"), format!("{name}.pub"));
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &key]);
    openssl(&["pkey", "-in", &key, "-pubout", "-out", &public]);
}

/// Makes a bundle of `files`, signed with `supplier.key` of `folder`; `settings` are those of package.sh.
pub(crate) fn make_bundle(folder: &Path, kind: &str, sequence: u64, files: &Path, settings: &[(&str, &str)]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../appliance/build/package.sh");
    let out = folder.join(format!("{kind}-{sequence}.carrel"));
    let mut package = Command::new(script);
    package.arg(files).arg(&out).env("KIND", kind).env("VERSION", format!("0.9.{sequence}"));
    package.env("SEQUENCE", sequence.to_string()).env("SOURCE_DATE_EPOCH", "1767225600");
    package.env("KEY", folder.join("supplier.key")).envs(settings.iter().copied());
    let output = package.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    out.to_str().unwrap().to_owned()
}
