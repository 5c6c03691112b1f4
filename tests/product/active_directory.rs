//! People of an Active Directory, against OpenLDAP's server with a schema that has its attributes: names with and
//! without a domain, accounts that may not be used, primary groups, renamed people, more groups than come at once. What
//! that server cannot do (the matching rule in chain, attributes in pieces, reasons of a refused bind) is in
//! directory_fake.rs. No test talks to a real Active Directory.

use crate::passwords::try_password;
use audit::Action;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Label, Role};
use identity::{Directory, DirectoryKind, DirectorySettings, GroupRule, NestedGroups, Policy};
use std::fmt::Write;
use std::sync::Arc;
use testkit::{DIRECTORY_ADMIN, DIRECTORY_PASSWORD, Slapd, TestApp};

/// Attributes under their own names and numbers (MS-ADA1 to MS-ADA3), as far as they are used.
const SCHEMA: &str = "\
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.656 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.782 NAME 'objectCategory' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.146 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.1460 NAME 'msDS-User-Account-Control-Computed' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.662 NAME 'lockoutTime' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.96 NAME 'pwdLastSet' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.98 NAME 'primaryGroupID' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP top AUXILIARY MAY ( sAMAccountName $ userPrincipalName $ objectCategory $ objectGUID $ objectSid $ userAccountControl $ msDS-User-Account-Control-Computed $ lockoutTime $ pwdLastSet $ accountExpires $ primaryGroupID $ displayName ) )
";

/// Groups that gus is in beside the others: more than come in one page.
const MANY: usize = 620;

/// S-1-5-21-1-2-3 and the relative id.
fn sid(relative_id: u32) -> String {
    let parts: Vec<u8> = [21, 1, 2, 3, relative_id].into_iter().flat_map(u32::to_le_bytes).collect();
    STANDARD.encode([&[1, 5, 0, 0, 0, 0, 0, 5][..], &parts].concat())
}

fn person(name: &str, number: u8, more: &str) -> String {
    let guid = STANDARD.encode([&[number, 0xff, 0x2a][..], &[number; 13]].concat());
    format!(
        "dn: cn={name},ou=people,dc=port,dc=test\nobjectClass: inetOrgPerson\nobjectClass: user\ncn: {name}\nsn: x\n\
         displayName: {name} of the port\nobjectCategory: person\nsAMAccountName: {name}\n\
         userPrincipalName: {name}@port.test\nobjectGUID:: {guid}\nobjectSid:: {}\nprimaryGroupID: 1201\n{more}\
         userPassword: {DIRECTORY_PASSWORD}\n\n",
        sid(2000 + u32::from(number))
    )
}

/// Everybody's primary group is `crew`, which names nobody and is in `everyone`.
fn entries() -> String {
    let mut text = "dn: dc=port,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: Port\ndc: port\n\n\
        dn: ou=people,dc=port,dc=test\nobjectClass: organizationalUnit\nou: people\n\n\
        dn: ou=groups,dc=port,dc=test\nobjectClass: organizationalUnit\nou: groups\n\n"
        .to_owned();
    text += &person(
        "gus",
        1,
        "userAccountControl: 512\npwdLastSet: 133500000000000000\naccountExpires: 9223372036854775807\n",
    );
    text += &person("hana", 2, "userAccountControl: 514\n");
    text += &person(
        "ivo",
        3,
        "userAccountControl: 512\nmsDS-User-Account-Control-Computed: 16\nlockoutTime: 133500000000000000\n",
    );
    text += &person("jon", 4, "userAccountControl: 512\nmsDS-User-Account-Control-Computed: 8388608\n");
    text += &person("kim", 5, "userAccountControl: 512\npwdLastSet: 0\n");
    text += &person("lea", 6, "userAccountControl: 512\naccountExpires: 134116992000000000\n");
    let group = |name: &str, members: &[&str], more: &str| {
        let members: String = members.iter().map(|member| format!("member: {member},dc=port,dc=test\n")).collect();
        format!(
            "dn: cn={name},ou=groups,dc=port,dc=test\nobjectClass: groupOfNames\nobjectClass: user\ncn: {name}\n{members}{more}\n"
        )
    };
    text += &group("crew", &["ou=people"], &format!("objectSid:: {}\n", sid(1201)));
    text += &group("everyone", &["cn=crew,ou=groups"], "");
    for number in 0..MANY {
        text += &group(&format!("watch{number:03}"), &["cn=gus,ou=people"], "");
    }
    let last = format!("cn=watch{:03},ou=groups", MANY - 1);
    let _ = write!(text, "{}", group("harbour", &[&last], ""));
    text
}

#[allow(clippy::print_stderr, reason = "whoever runs the tests has to know")]
fn slapd() -> Option<Slapd> {
    let started = Slapd::start_with(&entries(), SCHEMA);
    if started.is_none() {
        eprintln!("skipped: this machine has no slapd (Debian: apt-get install slapd)");
    }
    started
}

/// As `kind = "active-directory"` has it, but for the rule in chain, which slapd does not know.
fn settings(slapd: &Slapd) -> DirectorySettings {
    let rule = |name: &str, group: Option<&str>, role, clearance| GroupRule {
        dn: format!("CN={name},OU=groups,DC=port,DC=test"),
        group: group.map(str::to_owned),
        role,
        clearance,
    };
    DirectorySettings {
        kind: DirectoryKind::ActiveDirectory,
        nested_groups: NestedGroups::Walk,
        address: slapd.address(),
        start_tls: false,
        authorities: slapd.certificate(),
        bind_dn: DIRECTORY_ADMIN.to_owned(),
        bind_password: DIRECTORY_PASSWORD.to_owned(),
        base: "dc=port,dc=test".to_owned(),
        user_filter: "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={name})(userPrincipalName={name})))"
            .to_owned(),
        id_attribute: "objectGUID".to_owned(),
        name_attribute: "sAMAccountName".to_owned(),
        display_attribute: "displayName".to_owned(),
        group_base: "dc=port,dc=test".to_owned(),
        member_attribute: "member".to_owned(),
        rules: vec![
            rule("harbour", Some("harbour"), None, Some(Label::Confidential)),
            rule("everyone", Some("everyone"), Some(Role::Staff), Some(Label::Internal)),
        ],
    }
}

async fn world(slapd: &Slapd) -> TestApp {
    let directory = Some(Arc::new(Directory::new(settings(slapd)).unwrap()));
    TestApp::with_policy(Policy { directory, ..Policy::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_by_each_of_their_names_with_all_their_groups() {
    let Some(slapd) = slapd() else { return };
    let world = world(&slapd).await;
    let mut ids = Vec::new();
    for name in ["gus", "GUS@port.test", "PORT\\gus"] {
        assert!(world.browser().sign_in(name, DIRECTORY_PASSWORD).await, "{name}");
        let user = world.app.store.user_by_name("gus").await.unwrap().unwrap();
        assert_eq!((user.role, user.clearance.0), (Role::Staff, Label::Confidential));
        let groups = world.app.store.groups_of(user.id).await.unwrap();
        // `everyone` by the primary group, `harbour` by the last of more groups than come in one page.
        assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["everyone", "harbour"]);
        ids.push(user.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one person is one account");
    let found = world.app.identity.look_at_directory().await.unwrap();
    assert_eq!(found.people, 6);
    assert_eq!(found.groups.iter().map(|(_, members)| *members).collect::<Vec<_>>(), [Some(1), Some(1)]);
    for name in ["gus@other.test", "*", "gus)(objectClass=*", "PORT\\", "\\"] {
        assert!(!world.browser().sign_in(name, DIRECTORY_PASSWORD).await, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_that_may_not_be_used_get_the_usual_answer_and_the_log_says_why() {
    let Some(slapd) = slapd() else { return };
    let world = world(&slapd).await;
    let (usual, _) = try_password(&mut world.browser(), "gus", "not the password").await;
    assert_eq!(usual, StatusCode::UNAUTHORIZED);
    for (name, reason) in [
        ("hana", "the account is disabled"),
        ("ivo", "the account is locked out"),
        ("jon", "the password has expired"),
        ("kim", "has to be changed"),
        ("lea", "the account has expired"),
    ] {
        let (status, led) = try_password(&mut world.browser(), name, DIRECTORY_PASSWORD).await;
        assert_eq!((status, led), (usual, None), "{name}");
        let events = world.events().await;
        let failed = events.iter().rfind(|entry| entry.event.action == Action::SignInFailed).unwrap();
        assert!(failed.event.detail["reason"].as_str().unwrap().contains(reason), "{name}: {:?}", failed.event.detail);
        assert!(world.app.store.user_by_name(name).await.unwrap().is_none(), "no account is made");
        // Whoever does not know the password is told nothing, and the log knows no more either.
        let (status, _) = try_password(&mut world.browser(), name, "not the password").await;
        assert_eq!(status, usual);
        let events = world.events().await;
        let failed = events.iter().rfind(|entry| entry.event.action == Action::SignInFailed).unwrap();
        assert!(failed.event.detail.is_null(), "{name}: {:?}", failed.event.detail);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_person_stays_the_same_and_the_old_name_is_free() {
    let Some(slapd) = slapd() else { return };
    let world = world(&slapd).await;
    assert!(world.browser().sign_in("gus", DIRECTORY_PASSWORD).await);
    let before = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    slapd.change(&format!(
        "dn: cn=gus,ou=people,dc=port,dc=test\nchangetype: modify\nreplace: sAMAccountName\nsAMAccountName: gustav\n-\n\
         replace: userPrincipalName\nuserPrincipalName: gustav@port.test\n\n{}",
        person("gus", 9, "userAccountControl: 512\n")
            .replace("dn: cn=gus,", "dn: cn=gus the second,")
            .replace("\ncn: gus\n", "\ncn: gus the second\n")
            .replacen("\nobjectClass", "\nchangetype: add\nobjectClass", 1)
    ));
    assert!(world.browser().sign_in("gustav", DIRECTORY_PASSWORD).await);
    let after = world.app.store.user_by_name("gustav").await.unwrap().unwrap();
    assert_eq!(after.id, before.id);
    assert!(world.browser().sign_in("gus", DIRECTORY_PASSWORD).await, "another person has the name now");
    let second = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    assert_ne!(second.id, before.id);
    assert_eq!(second.clearance.0, Label::Internal, "with that person's own groups");
    let events = world.events().await;
    let renamed = events.iter().find(|entry| entry.event.detail["after"]["name"] == "gustav").unwrap();
    assert_eq!(renamed.event.detail["before"]["name"], "gus");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_night_closes_what_is_disabled_and_leaves_what_is_locked_out() {
    let Some(slapd) = slapd() else { return };
    let world = world(&slapd).await;
    let mut gus = world.browser();
    assert!(gus.sign_in("gus", DIRECTORY_PASSWORD).await);
    slapd.change("dn: cn=kim,ou=people,dc=port,dc=test\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 133500000000000000\n\n");
    let mut kim = world.browser();
    assert!(kim.sign_in("kim", DIRECTORY_PASSWORD).await);
    slapd.change(
        "dn: cn=gus,ou=people,dc=port,dc=test\nchangetype: modify\nadd: lockoutTime\nlockoutTime: 133500000000000000\n\n\
         dn: cn=kim,ou=people,dc=port,dc=test\nchangetype: modify\nreplace: userAccountControl\nuserAccountControl: 514\n\n",
    );
    let done = world.app.identity.synchronise(world.operation()).await.unwrap();
    assert_eq!((done.accounts, done.closed), (2, 1));
    gus.get("/ask").await.expect(StatusCode::OK);
    kim.get("/ask").await.expect(StatusCode::SEE_OTHER);
    assert!(world.app.store.user_by_name("kim").await.unwrap().unwrap().disabled);
}
