//! Presentations, made here part by part.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::slides::{pptx, run, shape};
use common::{check, check_refused, opendocument};
use domain::Area;
use extract::{Format, sniff};

fn relations(list: &[(&str, &str, &str)]) -> String {
    let list: String = list
        .iter()
        .map(|(id, kind, target)| format!("<Relationship Id='{id}' Type='http://x/{kind}' Target='{target}'/>"))
        .collect();
    format!("<Relationships>{list}</Relationships>")
}

#[test]
fn slides_in_their_order_with_titles_bullets_tables_and_notes() {
    let first = shape("type='subTitle' idx='1'", None, &[&run("Rules of 2026")])
        + &shape("type='ctrTitle'", None, &[&run("The co-op &amp; you")])
        + &shape("type='ftr' idx='9'", None, &[&run("Confidential")]);
    let cell = |text: &str| format!("<a:tc><a:txBody><a:p>{}</a:p></a:txBody></a:tc>", run(text));
    let second = shape("type='title'", None, &[&run("Leave")])
        + &shape(
            "idx='1'",
            Some([100, 200, 300, 400]),
            &[&run("24 days"), &format!("<a:pPr><a:buNone/></a:pPr>{}", run("each"))],
        )
        + &shape(
            "",
            None,
            &[&format!("<a:pPr><a:buChar char='-'/></a:pPr>{}", run("by hand")), &run("A<b/>side<a:br/>line")],
        )
        + "<p:grpSp><p:grpSpPr><a:xfrm><a:off x='500' y='500'/><a:ext cx='100' cy='100'/><a:chOff x='0' y='0'/>\
           <a:chExt cx='1000' cy='1000'/></a:xfrm></p:grpSpPr>"
        + &shape("", Some([0, 0, 500, 1000]), &[&run("grouped")])
        + "</p:grpSp><p:graphicFrame><p:xfrm><a:off x='0' y='900'/><a:ext cx='1000' cy='500'/></p:xfrm><a:tbl><a:tr>"
        + &cell("Band")
        + &cell("Pay")
        + "</a:tr></a:tbl></p:graphicFrame><p:graphicFrame><c:chart r:id='c'/></p:graphicFrame><p:graphicFrame>\
           <dgm:relIds r:dm='d' r:lo='x'/></p:graphicFrame>";
    let layout = format!("<p:sldLayout><p:spTree>{}</p:spTree></p:sldLayout>", shape("type='ftr' idx='9'", None, &[]));
    let master = format!(
        "<p:sldMaster><p:spTree>{}</p:spTree></p:sldMaster>",
        shape("type='title'", Some([0, 0, 1000, 100]), &[&run("Click to edit")])
    );
    let chart = "<c:chart><c:title><a:t>Sales</a:t></c:title><c:ser><c:tx><c:v>North</c:v></c:tx><c:cat><c:pt><c:v>May</c:v></c:pt>\
                 <c:pt><c:v>June</c:v></c:pt></c:cat><c:val><c:pt><c:v>3.0000000000000004</c:v></c:pt><c:pt><c:v>4</c:v></c:pt></c:val></c:ser></c:chart>";
    let diagram = "<dgm:dataModel><dgm:pt><dgm:t><a:p><a:r><a:t>Ask</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:dataModel>";
    let notes = format!(
        "<p:notes>{}{}</p:notes>",
        shape("type='sldNum'", None, &[&run("2")]),
        shape("type='body' idx='1'", None, &[&run("Say hello"), &run("and smile")])
    );
    let slide = relations(&[
        ("c", "chart", "../charts/chart1.xml"),
        ("d", "diagramData", "../diagrams/data1.xml"),
        ("l", "slideLayout", "../slideLayouts/l.xml"),
        ("n", "notesSlide", "../notesSlides/n.xml"),
    ]);
    let file = pptx(
        &[("", &first), ("show='0'", &second)],
        &[
            ("ppt/slides/_rels/slide1.xml.rels", &slide),
            ("ppt/charts/chart1.xml", chart),
            ("ppt/diagrams/data1.xml", diagram),
            ("ppt/slideLayouts/l.xml", &layout),
            ("ppt/slideLayouts/_rels/l.xml.rels", &relations(&[("m", "slideMaster", "../m.xml")])),
            ("ppt/m.xml", &master),
            ("ppt/notesSlides/n.xml", &notes),
        ],
    );
    let extracted = check(
        &file,
        "x.pptx",
        &[
            "1 h1 The co-op & you",
            "1 p Rules of 2026",
            "2 h2 Leave",
            "2 li 24 days",
            "2 p each",
            "2 li by hand",
            "2 p Aside line",
            "2 p grouped",
            "2 tr Band | Pay",
            "2 p Sales",
            "2 tr North | May: 3 | June: 4",
            "2 li Ask",
            "2 p Notes: Say hello",
            "2 p and smile",
        ],
    );
    assert_eq!(extracted.title.as_deref(), Some("The co-op & you"));
    assert_eq!((extracted.pages, extracted.warnings), (Some(2), vec!["slide 2 is hidden and was read".to_owned()]));
    let area = |at: usize| extracted.blocks[at].location.area;
    assert_eq!(area(0), None);
    assert_eq!(area(2), Some(Area { left: 0, top: 0, right: 10_000, bottom: 1_000 }));
    assert_eq!(area(3), Some(Area { left: 1_000, top: 2_000, right: 4_000, bottom: 6_000 }));
    assert_eq!(area(7), Some(Area { left: 5_000, top: 5_000, right: 5_500, bottom: 6_000 }));
    assert_eq!(area(8), Some(Area { left: 0, top: 9_000, right: 10_000, bottom: 10_000 }));
}

#[test]
fn damaged_and_empty_slides() {
    let good = shape("", None, &[&run("kept")]);
    let file = pptx(&[("", &good), ("", "<p:sp></p:cSld>")], &[]);
    let extracted = check(&file, "x.pptx", &["1 p kept"]);
    assert_eq!(extracted.warnings, ["slide 2 is damaged and partly missing"]);
    check_refused(&pptx(&[("", "")], &[]), "x.pptx", "holds no text");
    check_refused(&pptx(&[("", "<p:sp></p:cSld>")], &[]), "x.pptx", "damaged");
    let types = "<Types><Override PartName='/ppt/presentation.xml' ContentType='application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml'/></Types>";
    assert_eq!(sniff(&pptx(&[("", &good)], &[("[Content_Types].xml", types)]), "x.ppsm"), Ok(Format::Pptx));
}

#[test]
fn opendocument_slides() {
    let frame = |class: &str, x: u32, text: &str| {
        format!(
            "<draw:frame presentation:class=\"{class}\" svg:x='{x}cm' svg:y='0cm' svg:width='5cm' svg:height='5cm'>\
             <draw:text-box>{text}</draw:text-box></draw:frame>"
        )
    };
    let body = format!(
        "<office:presentation><draw:page draw:master-page-name='M'>{}{}<presentation:notes>{}{}</presentation:notes></draw:page>\
         <draw:page draw:style-name='dp2'>{}<draw:g><draw:custom-shape><text:p>shape</text:p></draw:custom-shape></draw:g>{}\
         <draw:frame><table:table><table:table-row><table:table-cell table:number-columns-repeated='4000000000'/>\
         <table:table-cell><text:p>Pay</text:p></table:table-cell></table:table-row></table:table></draw:frame></draw:page></office:presentation>",
        frame("title", 5, "<text:p>The co-op</text:p>"),
        frame("subtitle", 0, "<text:p>Rules</text:p>"),
        frame("notes", 0, "<text:p>Say hello</text:p><text:p>and smile</text:p>"),
        frame("page-number", 0, "<text:p>1</text:p>"),
        frame("title", 0, "<text:p>Leave</text:p>"),
        frame(
            "outline",
            0,
            "<text:list><text:list-item><text:p>24<text:s text:c='900000000'/>days</text:p></text:list-item></text:list>"
        ),
    );
    let styles = "<x><style:page-layout style:name='L'><style:page-layout-properties fo:page-width='10cm' fo:page-height='10cm'/></style:page-layout>\
                  <style:style style:name='dp2' style:family='drawing-page'><style:drawing-page-properties presentation:visibility='hidden'/></style:style>\
                  <style:master-page style:name='M' style:page-layout-name='L'/></x>";
    let file = opendocument("presentation-template", &body, &[("styles.xml", styles)]);
    let extracted = check(
        &file,
        "x.otp",
        &[
            "1 h1 The co-op",
            "1 p Rules",
            "1 p Notes: Say hello",
            "1 p and smile",
            "2 h2 Leave",
            "2 p shape",
            "2 li 24 days",
            &format!("2 tr {}Pay", "| ".repeat(64)),
        ],
    );
    assert_eq!((extracted.pages, extracted.warnings), (Some(2), vec!["slide 2 is hidden and was read".to_owned()]));
    assert_eq!(extracted.blocks[0].location.area, Some(Area { left: 5_000, top: 0, right: 10_000, bottom: 5_000 }));
}
