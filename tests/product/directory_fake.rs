//! What no free server can do of Active Directory: a small one that speaks as much LDAP (RFC 4511) as is asked of it, and
//! knows the matching rule in chain, attributes in pieces of 1500, answers of at most a thousand entries, and the
//! reasons of a refused bind. It is made from Microsoft's papers (MS-ADTS), not from the real thing.

use crate::passwords::try_password;
use audit::Action;
use axum::http::StatusCode;
use domain::{Label, Role};
use identity::{Directory, DirectoryKind, DirectorySettings, GroupRule, NestedGroups, Policy};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use testkit::TestApp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const PASSWORD: &str = "tide tables of june";
const SERVICE: &str = "cn=carrel,dc=port,dc=test";
const IN_CHAIN: &[u8] = b"1.2.840.113556.1.4.1941";
const PAGED: &[u8] = b"1.2.840.113556.1.4.319";
/// As Active Directory is set up by default (MaxPageSize, MaxValRange).
const MOST_ENTRIES: usize = 1000;
const MOST_VALUES: usize = 1500;

struct Entry {
    dn: String,
    values: Vec<(&'static str, Vec<Vec<u8>>)>,
    /// What its bind is refused with, though the password is right.
    refusal: Option<&'static str>,
}

impl Entry {
    fn of(&self, name: &[u8]) -> &[Vec<u8>] {
        let known = |(known, _): &&(&str, Vec<Vec<u8>>)| known.as_bytes().eq_ignore_ascii_case(name);
        self.values.iter().find(known).map_or(&[], |(_, values)| values)
    }
}

/// The server, and what it was asked.
#[derive(Clone)]
struct Fake {
    entries: Arc<Vec<Entry>>,
    /// Searches with the rule in chain, and attributes that were wanted in pieces.
    asked: Arc<Mutex<(usize, Vec<String>)>>,
}

// BER (X.690), as far as LDAP goes: tags of one byte, lengths that are known.

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap();
    let head = match length {
        0..128 => vec![tag, length.to_be_bytes()[3]],
        _ => [&[tag, 0x84][..], &length.to_be_bytes()].concat(),
    };
    [&head, content].concat()
}

fn next<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, behind) = rest.split_first()?;
    let (&first, behind) = behind.split_first()?;
    let bytes = usize::from(first & 0x7f);
    let (length, behind) = match first {
        0..128 => (usize::from(first), behind),
        _ => {
            (behind.get(..bytes)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), behind.get(bytes..)?)
        }
    };
    *rest = behind.get(length..)?;
    Some((tag, &behind[..length]))
}

fn all(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    std::iter::from_fn(|| next(&mut rest)).collect()
}

fn result(tag: u8, code: u8, diagnostic: &str) -> Vec<u8> {
    tlv(tag, &[tlv(0x0a, &[code]), tlv(0x04, b""), tlv(0x04, diagnostic.as_bytes())].concat())
}

fn same_name(one: &[u8], other: &[u8]) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(", ", ",");
    match (std::str::from_utf8(one), std::str::from_utf8(other)) {
        (Ok(one), Ok(other)) => plain(one) == plain(other),
        _ => one == other,
    }
}

impl Fake {
    /// Starts on a free port; its address and its certificate in PEM.
    async fn start(entries: Vec<Entry>) -> (Self, String, Vec<u8>) {
        let fake = Self { entries: Arc::new(entries), asked: Arc::default() };
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let tls = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let (acceptor, listener) =
            (TlsAcceptor::from(Arc::new(tls)), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let address = format!("ldaps://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let server = fake.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, acceptor) = (server.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut buffer = Vec::new();
                    let mut block = [0; 4096];
                    while let Ok(length @ 1..) = stream.read(&mut block).await {
                        buffer.extend_from_slice(&block[..length]);
                        loop {
                            let mut rest = buffer.as_slice();
                            let Some((0x30, message)) = next(&mut rest) else { break };
                            let Some(answer) = server.answer(message) else { return };
                            let left = rest.len();
                            buffer.drain(..buffer.len() - left);
                            if stream.write_all(&answer).await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        (fake, address, made.cert.pem().into_bytes())
    }

    /// What it says to one message; `None` if that was the last.
    fn answer(&self, message: &[u8]) -> Option<Vec<u8>> {
        let parts = all(message);
        let (id, (operation, content)) = (parts[0].1, parts[1]);
        let wrap = |operation: Vec<u8>, controls: Vec<u8>| tlv(0x30, &[tlv(0x02, id), operation, controls].concat());
        match operation {
            0x60 => Some(wrap(self.bind(content), Vec::new())),
            0x63 => {
                let (found, code, page) = self.search(content, parts.get(2).map(|(_, controls)| *controls));
                let entries: Vec<u8> = found.into_iter().flat_map(|entry| wrap(entry, Vec::new())).collect();
                let controls = page.map_or_else(Vec::new, |cookie| {
                    let value = tlv(0x30, &[tlv(0x02, &[0]), tlv(0x04, &cookie)].concat());
                    tlv(0xa0, &tlv(0x30, &[tlv(0x04, PAGED), tlv(0x04, &value)].concat()))
                });
                Some([entries, wrap(result(0x65, code, ""), controls)].concat())
            }
            _ => None,
        }
    }

    fn bind(&self, request: &[u8]) -> Vec<u8> {
        let parts = all(request);
        let (dn, password) = (parts[1].1, parts[2].1);
        let said = |data: &str| {
            format!("80090308: LdapErr: DSID-0C09042A, comment: AcceptSecurityContext error, data {data}, v4563")
        };
        let entry = self.entries.iter().find(|entry| same_name(entry.dn.as_bytes(), dn));
        match entry.map(|entry| entry.refusal) {
            _ if password != PASSWORD.as_bytes() => result(0x61, 49, &said("52e")),
            Some(Some(data)) => result(0x61, 49, &said(data)),
            Some(None) => result(0x61, 0, ""),
            None if dn == SERVICE.as_bytes() => result(0x61, 0, ""),
            None => result(0x61, 49, &said("525")),
        }
    }

    /// Entries, the result's code, and the cookie of the next page if pages were asked for.
    fn search(&self, request: &[u8], controls: Option<&[u8]>) -> (Vec<Vec<u8>>, u8, Option<Vec<u8>>) {
        let parts = all(request);
        let (base, scope, filter) = (parts[0].1, parts[1].1[0], parts[6]);
        let wanted: Vec<String> =
            all(parts[7].1).into_iter().map(|(_, name)| String::from_utf8_lossy(name).into_owned()).collect();
        let mut asked = self.asked.lock().unwrap();
        asked.0 += usize::from(filter.1.windows(IN_CHAIN.len()).any(|part| part == IN_CHAIN));
        asked.1.extend(wanted.iter().filter(|name| name.contains(";range=")).cloned());
        let below = |dn: &str| dn.to_lowercase().ends_with(&String::from_utf8_lossy(base).to_lowercase());
        let within = |entry: &&Entry| match scope {
            0 => same_name(entry.dn.as_bytes(), base),
            _ => below(&entry.dn),
        };
        let found: Vec<&Entry> = self.entries.iter().filter(within).filter(|entry| self.fits(entry, filter)).collect();
        if scope == 0 && found.is_empty() {
            return (Vec::new(), 32, None);
        }
        let page = controls.and_then(|controls| {
            let control = all(controls).into_iter().find(|(_, control)| all(control)[0].1 == PAGED)?;
            let value = all(control.1).pop()?.1;
            let parts = all(all(value)[0].1);
            let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
            Some((number(parts[0].1), number(parts[1].1)))
        });
        let (from, most) = page.map_or((0, MOST_ENTRIES), |(size, from)| (from, size.min(MOST_ENTRIES)));
        let to = found.len().min(from + most);
        let written = found[from..to].iter().map(|entry| Self::written(entry, &wanted)).collect();
        let whole = to == found.len();
        let cookie = page.map(|_| if whole { Vec::new() } else { u32::try_from(to).unwrap().to_be_bytes().to_vec() });
        // RFC 4511, appendix A: sizeLimitExceeded, if no pages were asked for.
        (written, if whole || cookie.is_some() { 0 } else { 4 }, cookie)
    }

    fn written(entry: &Entry, wanted: &[String]) -> Vec<u8> {
        let mut attributes = Vec::new();
        for name in wanted {
            let (plain, range) = name.split_once(";range=").unwrap_or((name, "0-*"));
            let from: usize = range.split('-').next().unwrap().parse().unwrap();
            let values = entry.of(plain.as_bytes());
            if values.is_empty() {
                continue;
            }
            let piece = &values[from.min(values.len())..values.len().min(from + MOST_VALUES)];
            let named = match values.len() > MOST_VALUES {
                true if from + piece.len() == values.len() => format!("{plain};range={from}-*"),
                true => format!("{plain};range={from}-{}", from + piece.len() - 1),
                false => plain.to_owned(),
            };
            let piece: Vec<u8> = piece.iter().flat_map(|value| tlv(0x04, value)).collect();
            attributes.extend(tlv(0x30, &[tlv(0x04, named.as_bytes()), tlv(0x31, &piece)].concat()));
        }
        tlv(0x64, &[tlv(0x04, entry.dn.as_bytes()), tlv(0x30, &attributes)].concat())
    }

    fn fits(&self, entry: &Entry, (tag, content): (u8, &[u8])) -> bool {
        match tag {
            0xa0 => all(content).into_iter().all(|part| self.fits(entry, part)),
            0xa1 => all(content).into_iter().any(|part| self.fits(entry, part)),
            0xa3 => {
                let parts = all(content);
                entry.of(parts[0].1).iter().any(|value| value == parts[1].1 || same_name(value, parts[1].1))
            }
            0x87 => content.eq_ignore_ascii_case(b"objectClass") || !entry.of(content).is_empty(),
            0xa9 => {
                let part = |wanted: u8| all(content).into_iter().find(|(tag, _)| *tag == wanted).unwrap().1;
                assert_eq!((part(0x81), part(0x82)), (IN_CHAIN, &b"member"[..]));
                !entry.of(b"member").is_empty() && self.above(part(0x83)).contains(&entry.dn)
            }
            other => panic!("a filter that nobody asks: {other:#x}"),
        }
    }

    /// All groups that a name is in, those within others included.
    fn above(&self, dn: &[u8]) -> BTreeSet<String> {
        let (mut found, mut next) = (BTreeSet::new(), vec![dn.to_vec()]);
        while let Some(name) = next.pop() {
            for entry in self.entries.iter().filter(|e| e.of(b"member").iter().any(|member| same_name(member, &name))) {
                if found.insert(entry.dn.clone()) {
                    next.push(entry.dn.clone().into_bytes());
                }
            }
        }
        found
    }
}

fn sid(relative_id: u32) -> Vec<u8> {
    let parts: Vec<u8> = [21, 1, 2, 3, relative_id].into_iter().flat_map(u32::to_le_bytes).collect();
    [&[1, 5, 0, 0, 0, 0, 0, 5][..], &parts].concat()
}

fn person(name: &str, number: u16, refusal: Option<&'static str>) -> Entry {
    let one = |value: &str| vec![value.as_bytes().to_vec()];
    let guid = [&number.to_be_bytes()[..], &[0xfe; 14]].concat();
    let values = vec![
        ("objectCategory", one("person")),
        ("objectClass", one("user")),
        ("sAMAccountName", one(name)),
        ("userPrincipalName", one(&format!("{name}@port.test"))),
        ("displayName", one(name)),
        ("objectGUID", vec![guid]),
        ("objectSid", vec![sid(5000 + u32::from(number))]),
        ("primaryGroupID", one("513")),
    ];
    Entry { dn: format!("CN={name},OU=people,DC=port,DC=test"), values, refusal }
}

fn group(name: &str, members: Vec<String>, sid: Option<Vec<u8>>) -> Entry {
    let members = members.into_iter().map(String::into_bytes).collect();
    Entry {
        dn: format!("CN={name},OU=groups,DC=port,DC=test"),
        values: vec![("member", members), ("objectSid", sid.into_iter().collect())],
        refusal: None,
    }
}

fn settings(address: String, authorities: Vec<u8>) -> DirectorySettings {
    let rule = |name: &str, group: Option<&str>, role, clearance| GroupRule {
        dn: format!("cn={name},ou=groups,dc=port,dc=test"),
        group: group.map(str::to_owned),
        role,
        clearance,
    };
    DirectorySettings {
        kind: DirectoryKind::ActiveDirectory,
        nested_groups: NestedGroups::Chain,
        address,
        start_tls: false,
        authorities,
        bind_dn: SERVICE.to_owned(),
        bind_password: PASSWORD.to_owned(),
        base: "DC=port,DC=test".to_owned(),
        user_filter: "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))"
            .to_owned(),
        id_attribute: "objectGUID".to_owned(),
        name_attribute: "sAMAccountName".to_owned(),
        display_attribute: "displayName".to_owned(),
        group_base: "DC=port,DC=test".to_owned(),
        member_attribute: "member".to_owned(),
        rules: vec![
            rule("top", Some("top"), None, Some(Label::Confidential)),
            rule("everyone", Some("everyone"), Some(Role::Staff), Some(Label::Internal)),
            rule("crowd", None, None, None),
            rule("typo", None, None, None),
        ],
    }
}

/// gus is in deep is in middle is in top is in deep again; all are in Domain Users, which is in everyone.
async fn started() -> (Fake, TestApp) {
    let named = |name: &str| vec![format!("CN={name},OU=groups,DC=port,DC=test")];
    let mut entries = vec![
        person("gus", 1, None),
        person("hana", 2, Some("533")),
        person("ivo", 3, Some("775")),
        person("jon", 4, Some("532")),
        group("deep", [vec!["CN=gus,OU=people,DC=port,DC=test".to_owned()], named("top")].concat(), None),
        group("middle", named("deep"), None),
        group("top", named("middle"), None),
        group("Domain Users", Vec::new(), Some(sid(513))),
        group("everyone", named("Domain Users"), None),
    ];
    let crowd: Vec<String> = (0..3100).map(|number| format!("CN=p{number},OU=people,DC=port,DC=test")).collect();
    entries.push(group("crowd", crowd, None));
    entries.extend((10..2410).map(|number| person(&format!("p{number}"), number, None)));
    let (fake, address, certificate) = Fake::start(entries).await;
    let directory = Some(Arc::new(Directory::new(settings(address, certificate)).unwrap()));
    (fake, TestApp::with_policy(Policy { directory, ..Policy::default() }).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rule_in_chain_finds_all_groups_in_one_question() {
    let (fake, world) = started().await;
    assert!(world.browser().sign_in("gus", PASSWORD).await);
    let user = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    assert_eq!(user.clearance.0, Label::Confidential);
    let groups = world.app.store.groups_of(user.id).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["everyone", "top"]);
    assert_eq!(fake.asked.lock().unwrap().0, 1, "one question, whatever the depth");
    assert!(world.browser().sign_in("p77", PASSWORD).await);
    let other = world.app.store.user_by_name("p77").await.unwrap().unwrap();
    assert_eq!(other.clearance.0, Label::Internal, "the primary group alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_bind_is_answered_as_always_and_its_reason_recorded() {
    let (_, world) = started().await;
    for (name, reason) in [("hana", "disabled"), ("ivo", "locked out"), ("jon", "expired")] {
        let (status, _) = try_password(&mut world.browser(), name, PASSWORD).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}");
        let events = world.events().await;
        let failed = events.iter().rfind(|entry| entry.event.action == Action::SignInFailed).unwrap();
        assert!(failed.event.detail["reason"].as_str().unwrap().contains(reason), "{name}: {:?}", failed.event.detail);
    }
    let (status, _) = try_password(&mut world.browser(), "gus", "not the password").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let events = world.events().await;
    assert!(events.iter().rfind(|entry| entry.event.action == Action::SignInFailed).unwrap().event.detail.is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_what_the_rules_find_in_a_large_directory() {
    let (fake, world) = started().await;
    let found = world.app.identity.look_at_directory().await.unwrap();
    let members: Vec<_> = found.groups.iter().map(|(_, members)| *members).collect();
    assert_eq!(members, [Some(1), Some(1), Some(3100), None]);
    assert_eq!(found.people, 2404, "more than come at once");
    assert_eq!(fake.asked.lock().unwrap().1, ["member;range=1500-*", "member;range=3000-*"]);
}
