//! What the search form narrows a search to.

use crate::error::WebError;
use crate::finding::{Facets, Search};
use crate::show::{kind, language};
use crate::views::{Facet, FacetGroup, Narrowing};
use domain::{AccessScope, CollectionId, DocumentFilter};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// Values of one facet that are listed, beside those that are chosen.
const LISTED: usize = 10;

/// The fields of a query, in order; a name may stand there more than once.
pub(crate) type Pairs = [(String, String)];

fn all<'a>(fields: &'a Pairs, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = fields.iter().filter(move |(field, value)| field == name && !value.trim().is_empty());
    values.map(|(_, value)| value.trim())
}

/// The search that these fields describe, for someone who may read `scope`. Unknown fields are somebody else's.
pub(crate) fn search<'a>(fields: &'a Pairs, scope: &'a AccessScope, limit: usize) -> Result<Search<'a>, WebError> {
    let one = |name: &'static str| all(fields, name).last().map(str::to_owned);
    let mut own = BTreeMap::new();
    for text in all(fields, "field") {
        let (name, value) =
            text.split_once('=').ok_or_else(|| WebError::Invalid("write a field as name=value".to_owned()))?;
        own.insert(name.trim().to_lowercase(), value.trim().to_owned());
    }
    let collections: Vec<CollectionId> = all(fields, "collection").filter_map(|id| id.parse().ok()).collect();
    let year = one("year").map(|year| match year.parse() {
        Ok(number @ 1..=9998_i16) => Ok(number),
        _ => Err(WebError::Invalid(format!("'{year}' is no year"))),
    });
    Ok(Search {
        query: all(fields, "q").next().unwrap_or_default(),
        scope,
        collections: (!collections.is_empty()).then_some(collections),
        filter: DocumentFilter {
            languages: all(fields, "language").map(str::to_owned).collect(),
            // What people call one kind may be several media types.
            media_types: all(fields, "type").flat_map(|kinds| kinds.split(',')).map(str::to_owned).collect(),
            labels: Vec::new(),
            author: one("author"),
            title: one("title"),
            path: one("path"),
            since: one("since").map(|day| moment(&day, 0)).transpose()?,
            // The day itself counts.
            before: one("until").map(|day| moment(&day, 1)).transpose()?,
            fields: own,
        },
        year: year.transpose()?,
        facets: true,
        offset: one("from").and_then(|from| from.parse().ok()).unwrap_or(0),
        limit,
    })
}

/// A moment as it stands there, or the midnight `after` days behind the beginning of a day.
pub(crate) fn moment(text: &str, after: i64) -> Result<Timestamp, WebError> {
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    let parsed = text.parse::<Date>().ok().and_then(|date| {
        let date = date.checked_add(jiff::Span::new().days(after)).ok()?;
        Some(date.to_zoned(TimeZone::system()).ok()?.timestamp())
    });
    parsed.ok_or_else(|| WebError::Invalid(format!("'{text}' is no day; write it as 2026-03-14")))
}

/// The rest of the form, with what was chosen.
pub(crate) fn shown(fields: &Pairs) -> Narrowing {
    let text = |name| all(fields, name).next().unwrap_or_default().to_owned();
    Narrowing {
        author: text("author"),
        path: text("path"),
        field: text("field"),
        since: text("since"),
        until: text("until"),
        facets: ["collection", "type", "language", "year"].iter().any(|name| all(fields, name).next().is_some()),
    }
}

/// The facets beside the results: the values with the most documents, and those that are chosen. `names` are those of
/// the collections that the person may read.
pub(crate) fn facets(fields: &Pairs, counted: &Facets, names: &BTreeMap<CollectionId, String>) -> Vec<FacetGroup> {
    let mut kinds: BTreeMap<String, (Vec<String>, u64)> = BTreeMap::new();
    let chosen_kinds = all(fields, "type").flat_map(|kinds| kinds.split(',')).map(str::to_owned);
    let all_kinds = counted.kinds.iter().map(|(kind, count)| (kind.clone(), *count));
    for (media_type, count) in all_kinds.chain(chosen_kinds.map(|kind| (kind, 0))) {
        let (types, documents) = kinds.entry(kind(&media_type).to_owned()).or_default();
        *documents += count;
        if !types.contains(&media_type) {
            types.push(media_type);
        }
    }
    let chosen = |name: &'static str| all(fields, name).map(|value| (value.to_owned(), 0));
    let collections = counted.collections.iter().map(|(id, count)| (id.to_string(), *count));
    let collections = collections.chain(chosen("collection")).filter_map(|(id, count)| {
        let name = names.get(&id.parse().ok()?)?.clone();
        Some((id, name, count))
    });
    let languages = counted.languages.iter().map(|(code, count)| (code.clone(), *count)).chain(chosen("language"));
    let years = counted.years.iter().map(|(year, count)| (year.to_string(), *count)).chain(chosen("year"));
    let kinds = kinds.into_iter().map(|(words, (types, count))| (types.join(","), words, count));
    let group = |title: &'static str, field: &'static str, values: Vec<(String, String, u64)>| {
        let picked: Vec<&str> = all(fields, field).collect();
        let selected =
            |value: &str| picked.iter().any(|picked| value.split(',').any(|v| picked.split(',').any(|p| p == v)));
        let mut facets: Vec<Facet> = Vec::new();
        for (value, name, count) in values {
            if facets.iter().all(|known| known.value != value) {
                facets.push(Facet { selected: selected(&value), value, name, count });
            }
        }
        if field == "year" {
            facets.sort_by(|a, b| b.value.cmp(&a.value));
        } else {
            facets.sort_by(|a, b| (b.count, &a.name).cmp(&(a.count, &b.name)));
        }
        let mut rank = 0;
        facets.retain(|facet| {
            rank += 1;
            facet.selected || rank <= LISTED
        });
        FacetGroup { title, field, single: field == "year", facets }
    };
    let plain = |(value, count): (String, u64)| (value.clone(), value, count);
    let groups = [
        group("Collection", "collection", collections.collect()),
        group("Kind of file", "type", kinds.collect()),
        group("Year", "year", years.map(plain).collect()),
        group("Language", "language", languages.map(|(code, count)| (code.clone(), language(&code), count)).collect()),
    ];
    groups.into_iter().filter(|group| !group.facets.is_empty()).collect()
}

/// The same search at another place of what it found.
pub(crate) fn address(fields: &Pairs, from: usize) -> String {
    let kept = fields.iter().filter(|(name, value)| name != "from" && !value.trim().is_empty());
    let mut query: Vec<(&str, String)> = kept.map(|(name, value)| (name.as_str(), value.clone())).collect();
    if from > 0 {
        query.push(("from", from.to_string()));
    }
    format!("/search?{}", serde_urlencoded::to_string(&query).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Clearance, Label};

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fields_of_the_form_become_a_search() {
        let scope = AccessScope::issue([], [], Clearance(Label::Public));
        let fields = pairs(&[("q", " x "), ("author", " "), ("type", "")]);
        let plain = search(&fields, &scope, 20).unwrap();
        assert!(plain.filter.is_empty() && plain.collections.is_none() && plain.year.is_none());
        assert_eq!((plain.query, plain.offset, plain.limit), ("x", 0, 20));
        let fields = pairs(&[
            ("type", "application/pdf"),
            ("type", "text/html,text/plain"),
            ("author", " Ada "),
            ("field", "Case Number = 12"),
            ("since", "2026-01-01"),
            ("until", "2026-01-01"),
            ("year", "2026"),
            ("from", "40"),
        ]);
        let chosen = search(&fields, &scope, 20).unwrap();
        assert_eq!((chosen.filter.media_types.len(), chosen.year, chosen.offset), (3, Some(2026), 40));
        assert_eq!(chosen.filter.author.as_deref(), Some("Ada"));
        assert_eq!(chosen.filter.fields.get("case number").map(String::as_str), Some("12"));
        let day = chosen.filter.before.unwrap().duration_since(chosen.filter.since.unwrap());
        assert!(day.as_hours() >= 23, "the last day is inside");
        for wrong in [("since", "last week"), ("field", "no sign"), ("year", "MMXXVI"), ("year", "9999")] {
            assert!(search(&pairs(&[wrong]), &scope, 20).is_err(), "{wrong:?}");
        }
        assert_eq!(address(&pairs(&[("q", "a b"), ("type", ""), ("from", "20")]), 0), "/search?q=a+b");
    }

    #[test]
    fn kinds_with_one_name_are_one_facet_and_a_chosen_value_without_documents_stays() {
        let mut counted = Facets::default();
        for (kind, count) in [("message/rfc822", 2), ("application/vnd.ms-outlook", 1), ("application/pdf", 1)] {
            counted.kinds.insert(kind.to_owned(), count);
        }
        counted.years.insert(2025, 4);
        let fields = pairs(&[("year", "1999"), ("type", "application/vnd.ms-outlook,message/rfc822")]);
        let groups = facets(&fields, &counted, &BTreeMap::new());
        let words = |group: &FacetGroup| {
            let facets = group.facets.iter().map(|facet| (facet.name.clone(), facet.count, facet.selected));
            facets.collect::<Vec<_>>()
        };
        assert_eq!(words(&groups[0]), [("Mail".to_owned(), 3, true), ("PDF".to_owned(), 1, false)]);
        assert_eq!(words(&groups[1]), [("2025".to_owned(), 4, false), ("1999".to_owned(), 0, true)]);
    }
}
