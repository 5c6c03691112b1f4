use crate::world::World;
use domain::{Clearance, Group, GroupId, Label, Permission, PrincipalId, Role, SessionId, User, UserId};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use storage::{Attempt, Grant, PrincipalKind, Session, SignInStep, StorageError};

fn conflict(error: &StorageError) -> &str {
    match error {
        StorageError::Conflict { what } => what,
        other => panic!("not a conflict: {other}"),
    }
}

#[tokio::test]
async fn accounts_are_found_changed_and_unique() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let ben = world.user("ben").await;
    assert_eq!(world.store.user(anna.id).await.unwrap().as_ref(), Some(&anna));
    assert_eq!(world.store.user_by_name("ben").await.unwrap().as_ref(), Some(&ben));
    assert_eq!(world.store.user_by_name("Ben").await.unwrap(), None);

    let changed = User { role: Role::Auditor, clearance: Clearance(Label::Secret), disabled: true, ..ben.clone() };
    world.write(async |act| act.update_user(&changed).await).await.unwrap();
    assert_eq!(world.store.users().await.unwrap(), [anna.clone(), changed]);

    world.write(async |act| act.set_password(anna.id, "$new$").await).await.unwrap();
    assert_eq!(world.store.password_hash(anna.id).await.unwrap().as_deref(), Some("$new$"));
    assert_eq!(world.store.password_hash(ben.id).await.unwrap().as_deref(), Some("$argon2id$"));

    let second = User { id: UserId::new(&world.environment), ..anna.clone() };
    let error = world.write(async |act| act.insert_user(&second, "").await).await.unwrap_err();
    assert_eq!(conflict(&error), "a user with this name exists already");
    let renamed = User { name: "ben".to_owned(), ..anna };
    let error = world.write(async |act| act.update_user(&renamed).await).await.unwrap_err();
    assert_eq!(conflict(&error), "a user with this name exists already");
    let error = world.write(async |act| act.update_user(&second).await).await.unwrap_err();
    assert_eq!(error.to_string(), "this user does not exist");
    let error = world.write(async |act| act.set_password(second.id, "").await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { .. }));
}

#[tokio::test]
async fn groups_have_members_until_they_are_deleted() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let (legal, staff) = (world.group("legal").await, world.group("staff").await);
    world
        .write(async |act| {
            for (group, user) in [(&staff, &ben), (&staff, &anna), (&legal, &anna), (&legal, &anna)] {
                act.add_member(group.id, user.id).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(world.store.groups().await.unwrap(), [legal.clone(), staff.clone()]);
    assert_eq!(world.store.group_by_name("legal").await.unwrap().as_ref(), Some(&legal));
    assert_eq!(world.store.members(staff.id).await.unwrap(), [anna.clone(), ben.clone()]);
    assert_eq!(world.store.groups_of(anna.id).await.unwrap(), [legal.clone(), staff.clone()]);

    world.write(async |act| act.remove_member(staff.id, anna.id).await).await.unwrap();
    world.write(async |act| act.delete_group(legal.id).await).await.unwrap();
    assert_eq!(world.store.groups_of(anna.id).await.unwrap(), []);
    assert_eq!(world.store.members(staff.id).await.unwrap(), [ben]);

    let error = world.write(async |act| act.delete_group(legal.id).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "group" }));
    let error = world.write(async |act| act.add_member(legal.id, anna.id).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { .. }));
    let twin = Group { id: GroupId::new(&world.environment), name: "staff".to_owned() };
    let error = world.write(async |act| act.insert_group(&twin).await).await.unwrap_err();
    assert_eq!(conflict(&error), "a group with this name exists already");
}

#[tokio::test]
async fn grants_add_up_to_the_highest_and_are_taken_away() {
    let world = World::new().await;
    let (anna, staff) = (world.user("anna").await, world.group("staff").await);
    let (handbook, minutes) = (world.collection("handbook").await, world.collection("minutes").await);
    let me = [PrincipalId::from(anna.id), PrincipalId::from(staff.id)];
    world
        .write(async |act| {
            act.set_grant(handbook.id, me[0], Some(Permission::Manage)).await?;
            act.set_grant(handbook.id, me[1], Some(Permission::Read)).await?;
            act.set_grant(minutes.id, me[1], Some(Permission::Read)).await?;
            act.set_grant(minutes.id, me[1], Some(Permission::Write)).await
        })
        .await
        .unwrap();
    let both = BTreeMap::from([(handbook.id, Permission::Manage), (minutes.id, Permission::Write)]);
    assert_eq!(world.store.permissions(&me).await.unwrap(), both);
    assert_eq!(world.store.permissions(&me[..1]).await.unwrap(), BTreeMap::from([(handbook.id, Permission::Manage)]));
    assert_eq!(world.store.permissions(&[]).await.unwrap(), BTreeMap::new());
    let grant = |principal, name: &str, kind, permission| Grant { principal, name: name.to_owned(), kind, permission };
    assert_eq!(
        world.store.grants(handbook.id).await.unwrap(),
        [
            grant(me[0], "anna", PrincipalKind::User, Permission::Manage),
            grant(me[1], "staff", PrincipalKind::Group, Permission::Read)
        ]
    );

    world.write(async |act| act.set_grant(handbook.id, me[0], None).await).await.unwrap();
    assert_eq!(world.store.permissions(&me).await.unwrap()[&handbook.id], Permission::Read);
    world.write(async |act| act.delete_group(staff.id).await).await.unwrap();
    assert_eq!(world.store.permissions(&me).await.unwrap(), BTreeMap::new(), "a group's grants go with it");
    let error = world.write(async |act| act.set_grant(handbook.id, me[1], Some(Permission::Read)).await).await;
    assert!(matches!(error, Err(StorageError::NotFound { .. })));
}

#[tokio::test]
async fn sessions_are_found_by_their_token_and_end() {
    let world = World::new().await;
    let anna = world.user("anna").await;
    let session = |token: u8| Session {
        id: SessionId::new(&world.environment),
        user: anna.id,
        token_hash: [token; 32],
        csrf: format!("form {token}"),
        address: "10.0.0.7".to_owned(),
        user_agent: "Lynx".to_owned(),
        created_at: world.now(),
        last_seen_at: world.now(),
        expires_at: world.now() + SignedDuration::from_hours(8),
        step: SignInStep::Done,
    };
    let (first, second, third) = (session(1), session(2), session(3));
    world
        .write(async |act| {
            for session in [&first, &second, &third] {
                act.insert_session(session).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(world.store.session_by_token(&[2; 32]).await.unwrap().as_ref(), Some(&second));
    assert_eq!(world.store.session_by_token(&[9; 32]).await.unwrap(), None);

    let later = world.now() + SignedDuration::from_mins(5);
    let mut act = world.begin().await;
    act.touch_session(first.id, later).await.unwrap();
    act.delete_session(third.id).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    let seen = Session { last_seen_at: later, ..first };
    assert_eq!(world.store.sessions_of(anna.id).await.unwrap(), [seen, second.clone()]);

    let mut act = world.begin().await;
    assert_eq!(act.delete_expired_sessions(second.expires_at).await.unwrap(), 0);
    assert_eq!(act.delete_sessions_of(anna.id).await.unwrap(), 2);
    world.commit(act).await;
    assert_eq!(world.store.sessions_of(anna.id).await.unwrap(), []);
    let stranger = Session { user: UserId::new(&world.environment), ..second };
    let error = world.write(async |act| act.insert_session(&stranger).await).await.unwrap_err();
    assert!(matches!(error, StorageError::NotFound { what: "user" }));
}

#[tokio::test]
async fn failures_are_counted_by_pair_browser_name_and_address() {
    let world = World::new().await;
    let start = world.now();
    let attempt = async |name: &str, address: &str, browser: Option<u8>, succeeded: bool| {
        world.wait(SignedDuration::from_secs(10));
        let mut act = world.begin().await;
        let attempt = Attempt { name, address, browser: browser.map(|byte| [byte; 32]) };
        act.record_attempt(&attempt, world.now(), succeeded).await.unwrap();
        act.commit_housekeeping().await.unwrap();
    };
    let failures = async |name: &str, address: &str, browser: Option<u8>, since| {
        let attempt = Attempt { name, address, browser: browser.map(|byte| [byte; 32]) };
        let found = world.store.failures(&attempt, since, since).await.unwrap();
        (found.pair, found.browser, found.name, found.address, found.been_here)
    };
    attempt("anna", "a", None, false).await;
    attempt("anna", "a", None, false).await;
    attempt("ben", "a", None, false).await;
    attempt("anna", "c", None, false).await;
    attempt("anna", "a", Some(1), false).await;
    assert_eq!(failures("anna", "a", Some(1), start).await, (2, 1, 3, 3, false));
    assert_eq!(failures("anna", "a", None, start + SignedDuration::from_secs(15)).await, (1, 0, 2, 2, false));
    attempt("anna", "a", None, true).await;
    assert_eq!(failures("anna", "a", None, start).await, (0, 0, 3, 3, true), "a success ends only the pair's count");
    attempt("anna", "a", None, false).await;
    assert_eq!(failures("anna", "a", None, start).await, (1, 0, 4, 4, true));
    attempt("anna", "a", Some(1), true).await;
    assert_eq!(failures("anna", "a", Some(1), start).await.1, 0);

    let mut act = world.begin().await;
    act.forget_attempts(world.now(), start).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    assert_eq!(failures("anna", "a", None, start).await, (0, 0, 0, 0, true));
}

#[tokio::test]
async fn a_browser_is_known_for_one_person() {
    let world = World::new().await;
    let (anna, ben) = (world.user("anna").await, world.user("ben").await);
    let mut act = world.begin().await;
    act.remember_browser(&[7; 32], anna.id, world.now()).await.unwrap();
    act.commit_housekeeping().await.unwrap();
    assert!(world.store.knows_browser(&[7; 32], anna.id).await.unwrap());
    assert!(!world.store.knows_browser(&[7; 32], ben.id).await.unwrap());
    assert!(!world.store.knows_browser(&[8; 32], anna.id).await.unwrap());
}
