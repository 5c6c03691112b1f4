//! Builds little presentations.

use super::archive;

/// A presentation of 1000 × 1000 units. Each slide has its attributes and its shapes; `more` adds parts, such as
/// relations of slides.
pub fn pptx(slides: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<u8> {
    // Parts are numbered the other way round than slides are shown.
    let numbered = || slides.iter().zip((1..=slides.len()).rev());
    let list: String = numbered().map(|(_, number)| format!("<p:sldId id='256' r:id='r{number}'/>")).collect();
    let relations: String = numbered()
        .map(|(_, number)| {
            format!("<Relationship Id='r{number}' Type='http://x/slide' Target='slides/slide{number}.xml'/>")
        })
        .collect();
    let mut parts = vec![
        (
            "ppt/presentation.xml".to_owned(),
            format!("<p:presentation><p:sldIdLst>{list}</p:sldIdLst><p:sldSz cx='1000' cy='1000'/></p:presentation>"),
        ),
        ("ppt/_rels/presentation.xml.rels".to_owned(), format!("<Relationships>{relations}</Relationships>")),
    ];
    for ((attributes, shapes), number) in numbered() {
        let slide = format!("<p:sld {attributes}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>");
        parts.push((format!("ppt/slides/slide{number}.xml"), slide));
    }
    parts.extend(more.iter().map(|(name, part)| ((*name).to_owned(), (*part).to_owned())));
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, part)| (name.as_str(), part.as_bytes())).collect();
    archive(&parts)
}

/// A shape: what it is a placeholder for, its box, its paragraphs.
pub fn shape(placeholder: &str, at: Option<[u32; 4]>, paragraphs: &[&str]) -> String {
    let placeholder = if placeholder.is_empty() { String::new() } else { format!("<p:ph {placeholder}/>") };
    let place = at.map_or(String::new(), |[x, y, width, height]| {
        format!("<a:xfrm><a:off x='{x}' y='{y}'/><a:ext cx='{width}' cy='{height}'/></a:xfrm>")
    });
    let paragraphs: String = paragraphs.iter().map(|text| format!("<a:p>{text}</a:p>")).collect();
    format!(
        "<p:sp><p:nvSpPr><p:nvPr>{placeholder}</p:nvPr></p:nvSpPr><p:spPr>{place}</p:spPr><p:txBody>{paragraphs}</p:txBody></p:sp>"
    )
}

pub fn run(text: &str) -> String {
    format!("<a:r><a:t>{text}</a:t></a:r>")
}
