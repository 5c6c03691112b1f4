//! Files as LibreOffice writes them, made by the one on this machine; without one, this says so and tests nothing.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod common;

use common::Keeper;
use domain::BlockKind;
use extract::{Extracted, Limits, extract, sniff};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const LETTER: &str = "<html><head><title>Working rules</title></head><body><h1>Annual leave</h1>\
    <p>Everybody gets 24 days of annual leave, and Gr\u{fc}n in the K\u{fc}che.</p><h2>Lists</h2>\
    <ul><li>first thing</li><li>second thing</li></ul>\
    <table border=1><tr><th>Name</th><th>Hall</th></tr><tr><td>Ada</td><td>Hall 4</td></tr><tr><td>Ben</td><td>Hall 7</td></tr></table>\
    </body></html>";
const ROOMS: &str = "Name,Rooms,Since\nAda,3,2024-05-01\nBen,12,2023-11-30\n\"Carl, junior\",1,2022-01-15\n";
const TALK: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 xmlns:presentation="urn:oasis:names:tc:opendocument:xmlns:presentation:1.0" office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation>
<draw:page draw:name="one"><draw:frame presentation:class="title" svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="1cm"><draw:text-box><text:p>Harbour dues</text:p></draw:text-box></draw:frame>
<draw:frame svg:width="20cm" svg:height="8cm" svg:x="2cm" svg:y="6cm"><draw:text-box><text:p>Ships pay 40 euros a day.</text:p></draw:text-box></draw:frame>
<presentation:notes><draw:frame presentation:class="notes" svg:width="15cm" svg:height="8cm" svg:x="2cm" svg:y="14cm"><draw:text-box><text:p>Mention the discount.</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>
<draw:page draw:name="two"><draw:frame svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="1cm"><draw:text-box><text:p>Second slide</text:p></draw:text-box></draw:frame></draw:page>
</office:presentation></office:body></office:document>"#;

struct Office {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Office {
    fn here() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let program = std::env::split_paths(&path).map(|folder| folder.join("soffice")).find(|file| file.exists())?;
        Some(Self { program, folder: tempfile::tempdir().unwrap() })
    }

    /// What LibreOffice makes of the file `name` in this format, read.
    fn written(&self, name: &str, format: &str) -> Extracted {
        let folder = self.folder.path();
        let file = folder.join(name);
        let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
        let mut command = Command::new(&self.program);
        command.arg(profile).args(["--headless", "--convert-to", format, "--outdir"]).arg(folder).arg(&file);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let made = Path::new(name).with_extension(format);
        assert!(status.success(), "{format}");
        let bytes = std::fs::read(folder.join(&made)).unwrap_or_else(|error| panic!("{format}: {error}"));
        let kind = sniff(&bytes, &made.to_string_lossy()).unwrap_or_else(|error| panic!("{format}: {error}"));
        extract(&bytes, kind, &Limits::default(), &mut Keeper::default()).unwrap_or_else(|e| panic!("{format}: {e}"))
    }
}

fn text(extracted: &Extracted) -> String {
    extracted.blocks.iter().map(|block| block.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_libreoffice_writes_is_read() {
    let Some(office) = Office::here() else {
        eprintln!("LibreOffice is not installed: its files are not tested");
        return;
    };
    for (name, content) in [("letter.html", LETTER), ("rooms.csv", ROOMS), ("talk.fodp", TALK)] {
        std::fs::write(office.folder.path().join(name), content).unwrap();
    }
    for (from, format) in [("html", "odt"), ("odt", "docx"), ("odt", "rtf"), ("odt", "epub"), ("odt", "pdf")] {
        let read = office.written(&format!("letter.{from}"), format);
        let all = text(&read);
        assert!(all.contains("24 days of annual leave, and Gr\u{fc}n in the K\u{fc}che"), "{format}: {all}");
        let heading =
            |block: &domain::Block| matches!(block.kind, BlockKind::Heading(_)) && block.text.contains("Annual leave");
        // Its EPUBs have paragraphs only.
        let has_headings = format == "epub" || read.blocks.iter().any(heading);
        assert!(has_headings, "{format}: {:?}", read.blocks);
        for row in [["Ada", "Hall 4"], ["Ben", "Hall 7"]] {
            let together = all.lines().any(|line| row.iter().all(|cell| line.contains(cell)));
            assert!(together, "{format}: the cells of a row stand together: {all}");
        }
    }
    for format in ["xlsx", "ods", "xls"] {
        let read = office.written("rooms.csv", format);
        let all = text(&read);
        for row in [["Ada", "3"], ["Ben", "12"], ["Carl, junior", "1"]] {
            assert!(all.lines().any(|line| row.iter().all(|cell| line.contains(cell))), "{format}: {all}");
        }
        assert!(read.blocks.iter().any(|block| block.location.cells.is_some()), "{format}: rows know their cells");
    }
    for format in ["pptx", "odp"] {
        let read = office.written("talk.fodp", format);
        let page = |needle: &str| {
            let block = read.blocks.iter().find(|block| block.text.contains(needle));
            block.unwrap_or_else(|| panic!("{format}: {needle} in {:?}", read.blocks)).location.page
        };
        assert_eq!(
            (page("Harbour dues"), page("40 euros"), page("Second slide")),
            (Some(1), Some(1), Some(2)),
            "{format}"
        );
        assert_eq!(page("Mention the discount"), Some(1), "{format}: notes belong to their slide");
    }
}
