//! People of a directory, against a real one. Where the machine has no slapd (`cargo xtask test` installs it where it may)
//! these tests say so and do nothing.

use crate::passwords::{count, try_password};
use audit::Action;
use axum::http::StatusCode;
use domain::{Clearance, Label, Role};
use identity::{Directory, DirectoryKind, DirectorySettings, GroupRule, NestedGroups, Policy};
use std::sync::Arc;
use testkit::{DIRECTORY_ADMIN, DIRECTORY_PASSWORD, Slapd, TestApp};

/// Four people; `divers` are in `crew` are in `everyone`, which is in `divers` again.
fn entries() -> String {
    let mut text = "dn: dc=port,dc=test\nobjectClass: dcObject\nobjectClass: organization\no: Port\ndc: port\n\n\
        dn: ou=people,dc=port,dc=test\nobjectClass: organizationalUnit\nou: people\n\n\
        dn: ou=groups,dc=port,dc=test\nobjectClass: organizationalUnit\nou: groups\n\n"
        .to_owned();
    for (name, display) in [("gus", "Gus Falk"), ("hana", "Hana Ito"), ("ivo", "Ivo Maric"), ("ada", "Another Ada")] {
        text += &format!(
            "dn: uid={name},ou=people,dc=port,dc=test\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {display}\nsn: x\n\
             userPassword: {DIRECTORY_PASSWORD}\n\n"
        );
    }
    for (group, members) in [
        ("divers", vec!["uid=gus,ou=people", "cn=everyone,ou=groups"]),
        ("crew", vec!["cn=divers,ou=groups", "uid=ada,ou=people"]),
        ("everyone", vec!["cn=crew,ou=groups", "uid=hana,ou=people"]),
    ] {
        text += &format!("dn: cn={group},ou=groups,dc=port,dc=test\nobjectClass: groupOfNames\ncn: {group}\n");
        text += &members.iter().map(|member| format!("member: {member},dc=port,dc=test\n")).collect::<String>();
        text += "\n";
    }
    text
}

fn settings(slapd: &Slapd) -> DirectorySettings {
    let rule = |name: &str, group: Option<&str>, role, clearance| GroupRule {
        dn: format!("CN={name}, OU=groups,DC=port,DC=test"),
        group: group.map(str::to_owned),
        role,
        clearance,
    };
    DirectorySettings {
        kind: DirectoryKind::Ldap,
        nested_groups: NestedGroups::Walk,
        address: slapd.address(),
        start_tls: false,
        authorities: slapd.certificate(),
        bind_dn: DIRECTORY_ADMIN.to_owned(),
        bind_password: DIRECTORY_PASSWORD.to_owned(),
        base: "ou=people,dc=port,dc=test".to_owned(),
        user_filter: "(&(objectClass=person)(uid={name}))".to_owned(),
        id_attribute: "entryUUID".to_owned(),
        name_attribute: "uid".to_owned(),
        display_attribute: "cn".to_owned(),
        group_base: "ou=groups,dc=port,dc=test".to_owned(),
        member_attribute: "member".to_owned(),
        rules: vec![
            rule("divers", Some("divers"), None, Some(Label::Confidential)),
            rule("everyone", Some("everyone"), Some(Role::Staff), Some(Label::Internal)),
        ],
    }
}

#[allow(clippy::print_stderr, reason = "whoever runs the tests has to know")]
fn slapd() -> Option<Slapd> {
    let started = Slapd::start(&entries());
    if started.is_none() {
        eprintln!("skipped: this machine has no slapd (Debian: apt-get install slapd)");
    }
    started
}

async fn with_directory(settings: DirectorySettings) -> TestApp {
    let directory = Some(Arc::new(Directory::new(settings).unwrap()));
    TestApp::with_policy(Policy { directory, ..Policy::default() }).await
}

async fn synchronise(world: &TestApp) -> Result<identity::Synchronised, identity::IdentityError> {
    world.app.identity.synchronise(domain::OperationId::new(world.app.store.environment())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_the_directory_sign_in_with_its_groups() {
    let Some(slapd) = slapd() else { return };
    let world = with_directory(settings(&slapd)).await;
    let mut gus = world.browser();
    assert!(gus.sign_in("Gus", DIRECTORY_PASSWORD).await);
    let page = gus.get("/account").await.expect(StatusCode::OK).body;
    assert!(page.contains("Gus Falk") && page.contains("known to the directory"), "{page}");
    let user = world.app.store.user_by_name("gus").await.unwrap().unwrap();
    assert_eq!((user.role, user.clearance), (Role::Staff, Clearance(Label::Confidential)));
    let groups = world.app.store.groups_of(user.id).await.unwrap();
    assert_eq!(groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["divers", "everyone"]);
    assert!(world.browser().sign_in("hana", DIRECTORY_PASSWORD).await);

    for (name, password) in [
        ("gus", "another password"),
        ("gus", ""),
        ("ivo", DIRECTORY_PASSWORD),
        ("nobody", DIRECTORY_PASSWORD),
        ("*", DIRECTORY_PASSWORD),
        ("gus)(uid=*", DIRECTORY_PASSWORD),
        ("ada", DIRECTORY_PASSWORD),
    ] {
        assert!(!world.browser().sign_in(name, password).await, "{name}");
    }
    assert!(world.browser().sign_in("ada", testkit::PASSWORD).await, "an account of ours stays ours");
    let change =
        [("current", DIRECTORY_PASSWORD), ("new", "five wet boots drying"), ("repeat", "five wet boots drying")];
    gus.post("/account/password", &change).await.expect(StatusCode::BAD_REQUEST);
    assert!(world.events().await.iter().all(|entry| !entry.to_json().contains(DIRECTORY_PASSWORD)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_directory_changes_holds_after_the_night() {
    let Some(slapd) = slapd() else { return };
    let world = with_directory(settings(&slapd)).await;
    let (mut gus, mut hana) = (world.browser(), world.browser());
    assert!(gus.sign_in("gus", DIRECTORY_PASSWORD).await && hana.sign_in("hana", DIRECTORY_PASSWORD).await);
    slapd.change(
        "dn: cn=divers,ou=groups,dc=port,dc=test\nchangetype: modify\nadd: member\n\
         member: uid=hana,ou=people,dc=port,dc=test\n\n\
         dn: uid=gus,ou=people,dc=port,dc=test\nchangetype: delete\n",
    );
    let done = synchronise(&world).await.unwrap();
    assert_eq!((done.accounts, done.closed), (2, 1));
    gus.get("/ask").await.expect(StatusCode::SEE_OTHER);
    assert!(world.app.store.user_by_name("gus").await.unwrap().unwrap().disabled);
    let user = world.app.store.user_by_name("hana").await.unwrap().unwrap();
    assert_eq!((user.clearance, user.disabled), (Clearance(Label::Confidential), false));
    hana.get("/ask").await.expect(StatusCode::OK);
    assert_eq!(count(&world, Action::DirectorySynchronised).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_away_or_empty_closes_nobody() {
    let Some(mut slapd) = slapd() else { return };
    let world = with_directory(settings(&slapd)).await;
    let mut gus = world.browser();
    assert!(gus.sign_in("gus", DIRECTORY_PASSWORD).await);
    assert!(world.browser().sign_in("hana", DIRECTORY_PASSWORD).await);
    slapd.change(
        "dn: uid=gus,ou=people,dc=port,dc=test\nchangetype: delete\n\n\
         dn: uid=hana,ou=people,dc=port,dc=test\nchangetype: delete\n",
    );
    assert!(synchronise(&world).await.is_err(), "all at once is more likely a mistake");
    slapd.stop();
    assert!(synchronise(&world).await.is_err());
    gus.get("/ask").await.expect(StatusCode::OK);
    let (status, _) = try_password(&mut world.browser(), "hana", DIRECTORY_PASSWORD).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(world.browser().sign_in("ada", testkit::PASSWORD).await, "accounts of ours need no directory");
    assert_eq!(count(&world, Action::DirectoryFailed).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_begins_at_once_or_later_and_only_with_the_right_certificate() {
    let Some(slapd) = slapd() else { return };
    let later = DirectorySettings { address: slapd.plain_address(), start_tls: true, ..settings(&slapd) };
    assert!(with_directory(later.clone()).await.browser().sign_in("gus", DIRECTORY_PASSWORD).await);
    let Some(other) = Slapd::start(&entries()) else { return };
    for settings in [settings(&slapd), later] {
        let world = with_directory(DirectorySettings { authorities: other.certificate(), ..settings }).await;
        let (status, _) = try_password(&mut world.browser(), "gus", DIRECTORY_PASSWORD).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    }
    let plain = DirectorySettings { address: slapd.plain_address(), ..settings(&slapd) };
    assert!(Directory::new(plain).unwrap_err().contains("without TLS"));
    assert!(Directory::new(DirectorySettings { authorities: Vec::new(), ..settings(&slapd) }).is_err());
}
