//! The groups that somebody is in, those within others included, and the members of a group.

use super::active_directory::{escaped, next_range, primary_group};
use super::connection::{Directory, PATIENCE, value_of, why};
use super::settings::{DirectoryKind, NestedGroups, comparable};
use ldap3::{Ldap, Scope, SearchEntry, ldap_escape};
use std::collections::BTreeSet;

/// Groups within groups that are followed.
const DEEPEST: usize = 16;
/// Groups that one person may be in, those within others included.
const MOST_GROUPS: usize = 2_000;
/// Members of one group that are counted, in pieces of 1500.
const MOST_PIECES: usize = 200;
/// Active Directory's rule that follows a chain of names to its end (MS-ADTS, section 3.1.1.3.4.4.3).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

impl Directory {
    /// The groups of the person with this entry, as [`comparable`] writes them.
    pub(super) async fn groups_of(&self, ldap: &mut Ldap, person: &SearchEntry) -> Result<BTreeSet<String>, String> {
        let mut members = vec![person.dn.clone()];
        if self.settings.kind == DirectoryKind::ActiveDirectory {
            members.extend(self.primary_group_of(ldap, person).await?);
        }
        // The primary group is one that the person is in, though nothing names it: only the person itself is none.
        let mut groups: BTreeSet<String> = members.iter().skip(1).map(|dn| comparable(dn)).collect();
        for _ in 0..DEEPEST {
            members = self.groups_with(ldap, &members).await?;
            members.retain(|dn| groups.insert(comparable(dn)));
            if groups.len() > MOST_GROUPS {
                return Err(format!("it puts one person into more than {MOST_GROUPS} groups"));
            }
            if members.is_empty() || self.settings.nested_groups == NestedGroups::Chain {
                break;
            }
        }
        Ok(groups)
    }

    /// The groups that name one of these as a member: with the rule in chain also those above.
    async fn groups_with(&self, ldap: &mut Ldap, members: &[String]) -> Result<Vec<String>, String> {
        let rule = match self.settings.nested_groups {
            NestedGroups::Walk => String::new(),
            NestedGroups::Chain => format!(":{IN_CHAIN}:"),
        };
        let attribute = &self.settings.member_attribute;
        let named: String =
            members.iter().map(|dn| format!("({attribute}{rule}={})", ldap_escape(dn.as_str()))).collect();
        let base = self.settings.group_base.clone();
        // RFC 4511, section 4.5.1.8: "1.1" asks for no attributes.
        let entries = self.search_all(ldap, &base, &format!("(|{named})"), &["1.1"], MOST_GROUPS).await?;
        Ok(entries.into_iter().map(|entry| entry.dn).collect())
    }

    /// The entry of the group that stands in `primaryGroupID`: it does not name its members.
    async fn primary_group_of(&self, ldap: &mut Ldap, person: &SearchEntry) -> Result<Option<String>, String> {
        let id = value_of(person, "primaryGroupID").and_then(|id| std::str::from_utf8(id).ok()?.trim().parse().ok());
        let sid = value_of(person, "objectSid").zip(id).and_then(|(sid, id)| primary_group(sid, id));
        let Some(sid) = sid else { return Ok(None) };
        let (base, filter) = (self.settings.group_base.clone(), format!("(objectSid={})", escaped(&sid)));
        Ok(self.search_all(ldap, &base, &filter, &["1.1"], 2).await?.pop().map(|entry| entry.dn))
    }

    /// How many members a group names itself; `None` if there is no such group. Active Directory gives them in pieces.
    pub(super) async fn members_of(&self, ldap: &mut Ldap, dn: &str) -> Result<Option<usize>, String> {
        let attribute = self.settings.member_attribute.as_str();
        let (mut wanted, mut count) = (attribute.to_owned(), 0);
        for _ in 0..MOST_PIECES {
            let search = ldap.with_timeout(PATIENCE).search(dn, Scope::Base, "(objectClass=*)", [wanted.as_str()]);
            let ldap3::SearchResult(entries, ended) = search.await.map_err(why)?;
            // RFC 4511, appendix A: no such object.
            if ended.rc == 32 {
                return Ok(None);
            }
            ended.success().map_err(why)?;
            let Some(entry) = entries.into_iter().next().map(SearchEntry::construct) else { return Ok(None) };
            let mut next = None;
            for (name, values) in &entry.attrs {
                let own = name.split(';').next().is_some_and(|own| own.eq_ignore_ascii_case(attribute));
                if own {
                    count += values.len();
                    next = next.or_else(|| next_range(attribute, name));
                }
            }
            match next {
                Some(next) => wanted = next,
                None => return Ok(Some(count)),
            }
        }
        Ok(Some(count))
    }
}
