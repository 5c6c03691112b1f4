//! The vocabulary: every act that is recorded, one line each.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The text is not the name of an action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the name of an audited action")]
pub struct UnknownAction(String);

macro_rules! actions {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What happened. The names are stable: exports, filters and rules of log collectors depend on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Action { $($(#[doc = $doc])* $variant,)* }

        impl Action {
            /// All actions, in the order of the vocabulary.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The action's stable dotted name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means, in the words of this file.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),*).trim_ascii(),)* }
            }
        }

        impl FromStr for Action {
            type Err = UnknownAction;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(UnknownAction(text.to_owned())),
                }
            }
        }
    };
}

actions! {
    /// Someone signed in.
    SignInSucceeded = "sign_in.succeeded",
    /// A sign-in was refused: unknown name, wrong password or disabled account (the detail does not say which to the person).
    SignInFailed = "sign_in.failed",
    /// A sign-in was not even tried, because too many had failed before.
    SignInThrottled = "sign_in.throttled",
    /// A session was ended by its owner.
    SignOut = "sign_out",
    /// The password was right, or a provider vouched; the next step of the sign-in (the detail says which) is awaited.
    SignInContinued = "sign_in.continued",
    /// A session was ended by its owner from elsewhere, or by an admin.
    SessionEnded = "session.ended",
    /// Someone set up a second factor; the detail says which kind.
    SecondFactorEnrolled = "second_factor.enrolled",
    /// A second factor was taken away: by its owner, by an admin, or at the console.
    SecondFactorReset = "second_factor.reset",
    /// Someone made new recovery codes; the old ones are gone.
    RecoveryCodesMade = "second_factor.codes_made",
    /// Someone signed in with a recovery code in place of the second factor.
    RecoveryCodeUsed = "second_factor.code_used",
    /// The authenticator app was taken out of a second factor that has security keys, too.
    CodeSecretRemoved = "second_factor.app_removed",
    /// Someone registered a security key; the detail has its name, algorithm and kind.
    SecurityKeyRegistered = "security_key.registered",
    /// A security key was taken away by its owner.
    SecurityKeyRemoved = "security_key.removed",
    /// Someone signed in with a security key; the detail has its counter.
    SecurityKeyUsed = "security_key.used",
    /// What a security key said was refused, at a registration or a sign-in; the detail says why.
    SecurityKeyRefused = "security_key.refused",
    /// Accounts were brought up to the directory.
    DirectorySynchronised = "directory.synchronised",
    /// The directory did not answer, or not as it should.
    DirectoryFailed = "directory.failed",
    /// The OpenID provider did not answer, or its answer did not hold.
    OidcFailed = "oidc.failed",
    /// Someone asked for an act that needs a second person.
    ApprovalRequested = "approval.requested",
    /// A second person agreed.
    ApprovalGranted = "approval.granted",
    /// A second person did not agree, or whoever asked withdrew.
    ApprovalRefused = "approval.refused",
    /// What had been agreed to was done.
    ApprovalExecuted = "approval.executed",
    /// A token for programs was made.
    TokenCreated = "token.created",
    /// A token was taken away by its owner.
    TokenRevoked = "token.revoked",
    /// A request came with a token that is unknown, expired or revoked, or whose owner's account is disabled.
    TokenRefused = "token.refused",
    /// A question was asked; the record of the answer holds its wording.
    QuestionAsked = "question.asked",
    /// Passages were shown to a person: document, version, passage and hash of each.
    PassagesShown = "passages.shown",
    /// An answer was written to its end.
    AnswerFinished = "answer.finished",
    /// An answer was stopped by its reader or by a fault.
    AnswerStopped = "answer.stopped",
    /// A search without an answer.
    SearchPerformed = "search.performed",
    /// A document was opened.
    DocumentOpened = "document.opened",
    /// A document was asked for that the person may not see, or that does not exist.
    DocumentRefused = "document.refused",
    /// The bytes of a document arrived.
    DocumentUploaded = "document.uploaded",
    /// A version of a document can be searched from now on.
    DocumentPublished = "document.published",
    /// A document could not be read.
    DocumentFailed = "document.failed",
    /// A document was deleted with all its versions.
    DocumentDeleted = "document.deleted",
    /// A document's label or its list of readers changed.
    DocumentRelabelled = "document.relabelled",
    /// A collection was made.
    CollectionCreated = "collection.created",
    /// A collection's name, description or default label changed.
    CollectionChanged = "collection.changed",
    /// An empty collection was deleted.
    CollectionDeleted = "collection.deleted",
    /// A user's or group's permission in a collection was given, changed or taken away.
    GrantChanged = "grant.changed",
    /// An account was made.
    UserCreated = "user.created",
    /// An account's name, role, clearance or state changed.
    UserChanged = "user.changed",
    /// A password was set.
    UserPasswordChanged = "user.password_changed",
    /// A group was made.
    GroupCreated = "group.created",
    /// Someone joined a group.
    GroupMemberAdded = "group.member_added",
    /// Someone left a group.
    GroupMemberRemoved = "group.member_removed",
    /// A group was deleted, and its grants with it.
    GroupDeleted = "group.deleted",
    /// A model was brought in.
    ModelImported = "model.imported",
    /// A model's file was compared with its hash, and the model was run for a few tokens.
    ModelVerified = "model.verified",
    /// A model was loaded into memory: to be tried beside the one in use, or by a server that takes over what was
    /// promoted at the console.
    ModelLoaded = "model.loaded",
    /// A model that was tried beside the one in use left memory.
    ModelUnloaded = "model.unloaded",
    /// A model's speed was measured.
    ModelMeasured = "model.measured",
    /// A model answered a site's own questions beside the one in use; the detail has the figures.
    ModelEvaluated = "model.evaluated",
    /// A model was put into use.
    ModelPromoted = "model.promoted",
    /// The model that was in use before was put back.
    ModelRolledBack = "model.rolled_back",
    /// A model was taken off the list, and its files off the disk.
    ModelRemoved = "model.removed",
    /// A job of the ingest queue was cancelled.
    JobCancelled = "job.cancelled",
    /// A batch of jobs was paused, resumed, released from quarantine, called off or tried again; the detail says which.
    BatchChanged = "batch.changed",
    /// A document was hidden, because its file went away, or shown again.
    DocumentHidden = "document.hidden",
    /// A document got another path, or one more, or lost one.
    DocumentMoved = "document.moved",
    /// A watched folder was added, changed or removed.
    FolderChanged = "folder.changed",
    /// A failed or cancelled job was put back into the queue.
    JobRetried = "job.retried",
    /// The search index was made anew from the database.
    IndexRebuilt = "index.rebuilt",
    /// The embedding model was exchanged: the vectors of the one before were taken away, to be made anew.
    VectorsForgotten = "index.vectors_forgotten",
    /// A key for backups was made: its public half is in the detail.
    BackupKeyMade = "backup.key_made",
    /// A backup was made, or failed.
    BackupMade = "backup.made",
    /// The data directory was restored from a backup.
    BackupRestored = "backup.restored",
    /// A diagnostics bundle was made: without contents, names or secrets; the detail has its hash.
    DiagnosticsMade = "diagnostics.made",
    /// Packets tried to leave the appliance and were dropped; the detail says how many since the log last heard of any.
    EgressDropped = "egress.dropped",
    /// The appliance's firewall lets the service reach other servers inside than before; the detail names them all.
    EgressReach = "egress.reach",
    /// A signed bundle was checked, and is what it says; the detail has kind, version, sequence and key.
    BundleVerified = "bundle.verified",
    /// A signed bundle was put into force; the detail says what it replaced.
    BundleApplied = "bundle.applied",
    /// A bundle was refused; the detail says why.
    BundleRefused = "bundle.refused",
    /// What a bundle had replaced was put back; the detail says what was given up for it.
    BundleRolledBack = "bundle.rolled_back",
    /// The audit log was exported.
    AuditExported = "audit.exported",
    /// An auditor looked through the log; the detail says what was looked for.
    AuditRead = "audit.read",
    /// The whole chain and its checkpoints were checked; the detail says what was found.
    AuditVerified = "audit.verified",
    /// Another key signs the log from now on; the detail has both public keys and the old key's signature over them.
    AuditKeyRotated = "audit.key_rotated",
    /// The content of old events was removed by the rules of retention; the detail says of which, and their hashes stay.
    AuditPurged = "audit.purged",
    /// A proof that the log holds an event, or that an older log is its beginning, was made.
    AuditProved = "audit.proved",
    /// An answer's record was read to write the answer again; the detail says what differs.
    AnswerReplayed = "answer.replayed",
    /// Events of a person, of a document or of a time were put under legal hold: nothing of them is purged.
    LegalHoldPlaced = "legal_hold.placed",
    /// A legal hold ended.
    LegalHoldReleased = "legal_hold.released",
    /// A page or an act was refused for lack of rights.
    AccessDenied = "access.denied",
    /// The server started.
    ServerStarted = "server.started",
    /// The server stopped in good order.
    ServerStopped = "server.stopped",
    /// Somebody at the console opened a root shell.
    ConsoleShell = "console.shell",
    /// A setting changed.
    ConfigurationChanged = "configuration.changed",
    /// The server made itself a certificate; the detail has its fingerprint and why.
    CertificateMade = "tls.certificate_made",
    /// The first admin and the first auditor were made in a browser, with the code of the console.
    SetupFinished = "setup.finished",
    /// Somebody gave a wrong setup code.
    SetupRefused = "setup.refused",
    /// A conversation was deleted by its owner.
    ConversationDeleted = "conversation.deleted",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_fits_a_syslog_message_id() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
            assert!(action.as_str().len() <= 32, "RFC 5424 allows 32 characters for MSGID");
            assert!(action.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte)));
        }
        assert!("sign_in".parse::<Action>().is_err());
    }
}
