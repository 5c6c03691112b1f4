//! OpenAI's interface, as a program of someone calls it.

use crate::remote::with_engine;
use crate::with_handbook;
use audit::Action;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Behaviour, TestApp, Upstream};

const CHAT: &str = "/v1/chat/completions";
const QUESTION: &str = "How many days of annual leave do I get in my first year?";
const ANSWER: &str = "In the first year every employee receives 24 days of annual leave [3].";

fn says(text: &str) -> Behaviour {
    Behaviour::Says(text.split_inclusive(' ').map(str::to_owned).collect())
}

fn question(more: Value) -> Value {
    let mut body = json!({ "model": "carrel", "messages": [{ "role": "user", "content": QUESTION }] });
    let Value::Object(more) = more else { panic!("{more}") };
    for (name, value) in more {
        body[name.as_str()] = value;
    }
    body
}

async fn count(world: &TestApp, action: Action) -> usize {
    world.events().await.iter().filter(|entry| entry.event.action == action).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_cited_and_recorded_as_the_persons() {
    let upstream = Upstream::start(says(ANSWER)).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ada").await;
    let told = program.post(CHAT, &question(json!({}))).await.expect(StatusCode::OK).json();
    assert_eq!(told["object"], "chat.completion");
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
    assert_eq!(told["usage"]["prompt_tokens"], 100);
    let message = &told["choices"][0]["message"];
    // The model wrote [3], of which there is none: the check says which passage it was.
    assert_eq!(message["content"], "In the first year every employee receives 24 days of annual leave. [1]");
    let ours = &message["carrel"];
    assert_eq!(
        (&ours["state"], &ours["supported"], &ours["label"]),
        (&"finished".into(), &true.into(), &"internal".into())
    );
    let citation = &ours["citations"][0];
    assert_eq!((&citation["number"], &citation["title"]), (&1.into(), &"Employee Handbook".into()));
    assert!(citation["quote"].as_str().unwrap().contains("24 days of annual leave"));

    let events = world.events().await;
    let of = |action: Action| events.iter().find(|entry| entry.event.action == action).unwrap();
    let asked = of(Action::QuestionAsked);
    assert_eq!((asked.event.actor.name.as_str(), &asked.event.detail["question"]), ("ada", &QUESTION.into()));
    let token = world.app.store.tokens_of(asked.event.actor.user.unwrap()).await.unwrap().remove(0);
    assert_eq!(asked.event.detail["token"], token.id.to_string());
    assert!(token.last_used_at.is_some());
    let shown = of(Action::PassagesShown);
    assert_eq!(shown.event.detail["passages"][0]["passage"], citation["passage_id"]);
    // The person finds it among the other questions, and follows the citation.
    let mut ada = world.signed_in("ada").await;
    let id = ours["conversation_id"].as_str().unwrap();
    assert!(ada.get(&format!("/conversations/{id}")).await.expect(StatusCode::OK).body.contains(QUESTION));
    let cited = ada.get(citation["url"].as_str().unwrap()).await.expect(StatusCode::OK);
    assert!(cited.body.contains("passage-cited"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_text_and_at_its_end_what_it_rests_on() {
    let upstream = Upstream::start(says(ANSWER)).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ada").await;
    let wanted = question(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let told = program.post(CHAT, &wanted).await.expect(StatusCode::OK);
    assert!(told.headers["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let events = told.events();
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let text: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, ANSWER);
    let [.., last, counts] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["carrel"]["sentences"][0]["citations"], json!([1]));
    assert_eq!(last["carrel"]["citations"][0]["title"], "Employee Handbook");
    assert_eq!((&counts["choices"], &counts["usage"]["prompt_tokens"]), (&json!([]), &100.into()));
    assert!(events.iter().all(|event| event["id"] == events[0]["id"] && event["object"] == "chat.completion.chunk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_without_a_grant_gets_the_refusal_and_learns_nothing() {
    let upstream = Upstream::start(says(ANSWER)).await;
    let world = with_engine(&upstream).await;
    let (ada, ben) = (world.program_of("ada").await, world.program_of("ben").await);
    let told = ben.post(CHAT, &question(json!({}))).await.expect(StatusCode::OK).json();
    let message = &told["choices"][0]["message"];
    assert_eq!(message["content"], "The documents you can see do not answer this.");
    let ours = &message["carrel"];
    assert_eq!((&ours["state"], &ours["citations"], &ours["label"]), (&"refused".into(), &json!([]), &Value::Null));
    assert!(!told.to_string().contains("Handbook") && !told.to_string().contains("24 days"));
    let streamed = ben.post(CHAT, &question(json!({ "stream": true }))).await.expect(StatusCode::OK);
    assert!(streamed.text.contains("The documents you can see do not answer this."));
    assert!(!streamed.text.contains("Handbook"));
    assert!(upstream.received().is_empty(), "the model was not even asked");

    // A collection that is hidden answers as one that is not there, and naming it does not open it.
    let within = |name: &str| question(json!({ "carrel": { "collections": [name] } }));
    let hidden = ben.post(CHAT, &within("Handbook")).await.expect(StatusCode::NOT_FOUND);
    let missing = ben.post(CHAT, &within("Nowhere")).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(hidden.text.replace("Handbook", "Nowhere"), missing.text);
    let readable = ada.post(CHAT, &within("Handbook")).await.expect(StatusCode::OK).json();
    assert_eq!(readable["choices"][0]["message"]["carrel"]["state"], "finished");
    let other = world.collection("Tides").await;
    world.grant(&other, "ada", Some(domain::Permission::Read)).await;
    let elsewhere = ada.post(CHAT, &within("Tides")).await.expect(StatusCode::OK).json();
    assert_eq!(elsewhere["choices"][0]["message"]["carrel"]["state"], "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retrieval_the_model_is_alone_and_it_is_still_a_question() {
    let upstream = Upstream::start(says("Paris.")).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ben").await;
    let mut wanted =
        question(json!({ "carrel": { "retrieval": false }, "temperature": 0.5, "seed": 11, "max_tokens": 5,
        "stop": ["END"], "frequency_penalty": 0.25, "logprobs": true, "top_logprobs": 2 }));
    wanted["messages"] =
        json!([{ "role": "system", "content": "Be short." }, { "role": "user", "content": "Capital?" }]);
    let told = program.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
    assert_eq!(told["choices"][0]["message"]["content"], "Paris.");
    assert_eq!(told["choices"][0]["message"]["carrel"]["retrieval"], false);
    let sent = upstream.received().remove(0).body;
    assert_eq!(sent["messages"], wanted["messages"]);
    for field in ["temperature", "seed", "max_tokens", "stop", "frequency_penalty", "logprobs", "top_logprobs"] {
        assert_eq!(sent[field], wanted[field], "{field}");
    }
    assert_eq!((count(&world, Action::QuestionAsked).await, count(&world, Action::AnswerFinished).await), (1, 1));
    assert_eq!(count(&world, Action::PassagesShown).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_are_called_and_their_results_read() {
    let upstream = Upstream::start(Behaviour::Calls("tide".to_owned(), json!({ "at": "Pier 4" }))).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ada").await;
    let tool = json!({ "type": "function", "function": { "name": "tide", "parameters": { "type": "object" } } });
    let wanted = question(json!({ "tools": [tool] }));
    let told = program.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
    let choice = &told["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&"tool_calls".into(), &Value::Null));
    let call = choice["message"]["tool_calls"][0].clone();
    assert_eq!((&call["type"], &call["function"]["name"]), (&"function".into(), &"tide".into()));
    assert_eq!(call["function"]["arguments"], r#"{"at":"Pier 4"}"#);
    assert_eq!(upstream.received()[0].body["tools"], json!([tool]));

    let mut streamed = wanted.clone();
    streamed["stream"] = json!(true);
    let events = program.post(CHAT, &streamed).await.expect(StatusCode::OK).events();
    assert!(!events.iter().any(|event| event.to_string().contains("tool_call>")), "the mark is not shown");
    let calls: Vec<&Value> = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0])
        .filter(|call| call.is_object())
        .collect();
    assert_eq!((calls.len(), &calls[0]["index"], &calls[0]["function"]["name"]), (1, &0.into(), &"tide".into()));
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");

    upstream.behave(says("The handbook says 24 days of annual leave in the first year [1]."));
    let mut answered = wanted;
    let messages = answered["messages"].as_array_mut().unwrap();
    messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] }));
    messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "2 m" }));
    let told = program.post(CHAT, &answered).await.expect(StatusCode::OK).json();
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
    let sent = upstream.received().pop().unwrap().body["messages"].clone();
    assert_eq!(sent[2]["tool_calls"][0]["function"]["name"], "tide");
    assert_eq!((&sent[3]["role"], &sent[3]["content"]), (&"tool".into(), &"2 m".into()));

    upstream.behave(Behaviour::Calls("tide".to_owned(), json!({})));
    let forced = question(json!({ "tools": [tool], "tool_choice": "required", "stream": true }));
    let events = program.post(CHAT, &forced).await.expect(StatusCode::OK).events();
    assert_eq!(events.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(upstream.received().pop().unwrap().body["tool_choice"], "required");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_held_back_of_a_refused_text_stays_back() {
    let upstream = Upstream::start(says("The harbour keeps 77 parrots. <tool_call> Bosun feeds 88 of them.")).await;
    let world = with_engine(&upstream).await;
    let tool = json!({ "type": "function", "function": { "name": "tide", "parameters": { "type": "object" } } });
    let wanted = question(json!({ "tools": [tool], "stream": true }));
    let events = world.program_of("ada").await.post(CHAT, &wanted).await.expect(StatusCode::OK).events();
    assert_eq!(events.last().unwrap()["carrel"]["state"], "refused", "{events:?}");
    assert!(events.iter().all(|event| !event.to_string().contains("Bosun")), "{events:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_can_claim_something_in_its_names_and_prove_nothing_by_what_it_leaves_empty() {
    let upstream = Upstream::start(says(r#"{"Everybody receives a bonus of 9000 euros": null}"#)).await;
    let world = with_engine(&upstream).await;
    let ada = world.program_of("ada").await;
    let wanted = question(json!({ "response_format": { "type": "json_object" } }));
    let ours = async || ada.post(CHAT, &wanted).await.expect(StatusCode::OK).json()["choices"][0]["message"].clone();
    let message = ours().await;
    assert_eq!((&message["content"], &message["carrel"]["state"]), (&Value::Null, &"refused".into()), "{message}");
    let answer = ANSWER.replace(" [3]", "");
    for (form, supported) in [
        (json!({ "answer": answer }), true),
        (json!({ "answer": answer, "until": null }), false),
        (json!({ "answer": answer, "sure": true }), false),
    ] {
        upstream.behave(says(&form.to_string()));
        let message = ours().await;
        assert_eq!(message["carrel"]["supported"], supported, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shaped_answer_is_json_or_refused_as_such() {
    let upstream = Upstream::start(says(r#"{"annual_leave_days": 24}"#)).await;
    let world = with_engine(&upstream).await;
    let schema = json!({ "type": "object", "properties": { "annual_leave_days": { "type": "integer" } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "leave", "schema": schema } });
    let wanted = question(json!({ "response_format": format }));
    let (ada, ben) = (world.program_of("ada").await, world.program_of("ben").await);
    let told = ada.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
    let message = &told["choices"][0]["message"];
    let content: Value = serde_json::from_str(message["content"].as_str().unwrap()).unwrap();
    assert_eq!(content, json!({ "annual_leave_days": 24 }));
    assert_eq!(message["carrel"]["sentences"][0]["citations"], json!([1]), "{message}");
    assert_eq!(upstream.received()[0].body["response_format"]["json_schema"]["schema"], schema);
    let refused = ben.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
    let message = &refused["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["refusal"], "The documents you can see do not answer this.");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaving_a_stream_stops_the_answer() {
    let upstream = Upstream::start(Behaviour::Endless("word ".to_owned(), Duration::from_millis(10))).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ada").await;
    let wanted = question(json!({ "stream": true })).to_string();
    let response = program.open(Method::POST, CHAT, &[], wanted).await;
    assert_eq!(response.status(), StatusCode::OK);
    drop(response);
    for _ in 0..600 {
        if count(&world, Action::AnswerStopped).await == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the answer goes on without a reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_told_as_openai_tells_it() {
    let upstream = Upstream::start(says(ANSWER)).await;
    let world = with_engine(&upstream).await;
    let program = world.program_of("ada").await;
    let fault = |told: testkit::Told| {
        let error = told.json()["error"].clone();
        assert!(["message", "type", "param", "code"].iter().all(|name| error.get(name).is_some()), "{error}");
        (error["code"].clone(), error["param"].clone())
    };
    let post = async |body: Value| program.post(CHAT, &body).await;
    let wrong_type = post(question(json!({ "temperature": "hot" }))).await.expect(StatusCode::BAD_REQUEST);
    assert_eq!(fault(wrong_type), (Value::Null, "temperature".into()));
    let unknown = post(question(json!({ "model": "gpt-9" }))).await.expect(StatusCode::NOT_FOUND);
    assert_eq!(fault(unknown), ("model_not_found".into(), "model".into()));
    let elsewhere = program.get("/v1/assistants").await.expect(StatusCode::NOT_FOUND);
    assert_eq!(fault(elsewhere).0, "not_found");
    let huge = "x".repeat(5 << 20);
    let huge = program.send(Method::POST, CHAT, &[], huge).await.expect(StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(fault(huge).1, Value::Null);
    upstream.behave(Behaviour::Refuses(StatusCode::SERVICE_UNAVAILABLE, "loading".to_owned()));
    let busy = post(question(json!({}))).await.expect(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.headers["retry-after"], "5");
    assert!(busy.headers.contains_key("x-request-id"));
    assert_eq!(fault(busy).0, "overloaded");
    upstream.behave(Behaviour::Garbage);
    let broken = post(question(json!({}))).await.expect(StatusCode::BAD_GATEWAY);
    assert_eq!(fault(broken).0, "engine_failed");
    upstream.behave(Behaviour::Drops(vec!["In ".to_owned()]));
    let cut = post(question(json!({ "stream": true }))).await.expect(StatusCode::OK).events();
    assert_eq!(cut.last().unwrap()["error"]["code"], "engine_failed");
    assert_eq!(count(&world, Action::AnswerFinished).await, 3, "each failure is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_become_vectors_and_models_are_listed() {
    let (world, _) = with_handbook().await;
    let program = world.program_of("ada").await;
    let embed = |more: Value| {
        let mut body = json!({ "model": "carrel", "input": ["annual leave", "the quay at night"] });
        more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let told = program.post("/v1/embeddings", &embed(json!({}))).await.expect(StatusCode::OK).json();
    let expected = testkit::embedder().embed(&["annual leave", "the quay at night"]).unwrap();
    for (at, vector) in expected.iter().enumerate() {
        let found: Vec<f32> = serde_json::from_value(told["data"][at]["embedding"].clone()).unwrap();
        let cosine: f32 = found.iter().zip(vector).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{cosine}");
    }
    assert!(told["usage"]["prompt_tokens"].as_u64().unwrap() >= 5);
    let packed = program.post("/v1/embeddings", &embed(json!({ "encoding_format": "base64" }))).await.json();
    assert_eq!(packed["data"][1]["embedding"].as_str().unwrap().len(), (384 * 4usize).div_ceil(3) * 4);
    for wrong in [json!({ "dimensions": 12 }), json!({ "input": [1, 2] }), json!({ "encoding_format": "hex" })] {
        let _ = program.post("/v1/embeddings", &embed(wrong)).await.expect(StatusCode::BAD_REQUEST);
    }

    let models = program.get("/v1/models").await.expect(StatusCode::OK).json();
    let names: Vec<&str> = models["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["smollm2-135m", "embedding", "carrel"]);
    let one = program.get("/v1/models/smollm2-135m").await.expect(StatusCode::OK).json();
    assert_eq!(one["object"], "model");
    let _ = program.get("/v1/models/none/such").await.expect(StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_model_obeys_a_schema() {
    let (world, _) = with_handbook().await;
    let program = world.program_of("ada").await;
    let schema = json!({
        "type": "object",
        "properties": {
            "days": { "type": "integer", "minimum": 0, "maximum": 366 },
            "kind": { "enum": ["annual", "sick", "other"] },
        },
        "required": ["days", "kind"],
        "additionalProperties": false,
    });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "leave", "schema": schema } });
    for retrieval in [false, true] {
        let more = json!({ "response_format": format, "max_tokens": 60, "carrel": { "retrieval": retrieval } });
        let told = program.post(CHAT, &question(more)).await.expect(StatusCode::OK).json();
        let message = &told["choices"][0]["message"];
        // What the passages do not support is refused as a whole, and this model is small.
        let Some(content) = message["content"].as_str() else {
            assert!(retrieval && message["refusal"].is_string(), "{told}");
            continue;
        };
        let content: Value = serde_json::from_str(content).unwrap();
        let fields: Vec<&String> = content.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["days", "kind"], "{content}");
        assert!(content["days"].as_u64().is_some_and(|days| days <= 366), "{content}");
        assert!(["annual", "sick", "other"].contains(&content["kind"].as_str().unwrap()), "{content}");
    }
    let any = json!({ "response_format": { "type": "json_object" }, "max_tokens": 120,
        "carrel": { "retrieval": false } });
    let told = program.post(CHAT, &question(any)).await.expect(StatusCode::OK).json();
    let (content, finish) = (&told["choices"][0]["message"]["content"], &told["choices"][0]["finish_reason"]);
    let content = content.as_str().unwrap();
    assert!(content.starts_with('{'), "{content}");
    let parsed: Result<Value, _> = serde_json::from_str(content);
    assert!(parsed.is_ok() || *finish == "length", "{content}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_model_tells_how_likely_its_tokens_were() {
    let (world, _) = with_handbook().await;
    let program = world.program_of("ada").await;
    let more = json!({ "logprobs": true, "top_logprobs": 3, "max_tokens": 12, "carrel": { "retrieval": false } });
    let told = program.post(CHAT, &question(more.clone())).await.expect(StatusCode::OK).json();
    let choice = &told["choices"][0];
    let tokens = choice["logprobs"]["content"].as_array().unwrap();
    let written: String = tokens.iter().map(|token| token["token"].as_str().unwrap()).collect();
    assert!(written.starts_with(choice["message"]["content"].as_str().unwrap().trim()), "{choice}");
    // The token that ends a text is counted and has no text to be told with.
    let ends = usize::from(choice["finish_reason"] == "stop");
    assert_eq!((tokens.len() + ends) as u64, told["usage"]["completion_tokens"].as_u64().unwrap(), "{choice}");
    let mut sum = 0.0;
    for token in tokens {
        let likely = token["logprob"].as_f64().unwrap();
        let top: Vec<f64> =
            token["top_logprobs"].as_array().unwrap().iter().map(|t| t["logprob"].as_f64().unwrap()).collect();
        assert_eq!(top.len(), 3);
        assert!((top[0] - likely).abs() < 1e-6, "greedy: the likeliest was taken: {token}");
        assert!(top.is_sorted_by(|a, b| a >= b) && top.iter().map(|x| x.exp()).sum::<f64>() <= 1.0 + 1e-4, "{token}");
        sum += likely;
    }
    // The likeliest of 49,152 tokens is likelier than one of them at random, and no text is certain.
    let random = -(49_152_f64.ln()) * tokens.len() as f64;
    assert!(sum < 0.0 && sum > random / 2.0, "{sum}");

    let mut streamed = question(more);
    streamed["stream"] = json!(true);
    let events = program.post(CHAT, &streamed).await.expect(StatusCode::OK).events();
    let again: Vec<&Value> =
        events.iter().filter_map(|event| event["choices"][0]["logprobs"]["content"].as_array()).flatten().collect();
    assert_eq!(again, tokens.iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_model_calls_a_function_that_it_must_call() {
    let (world, _) = with_handbook().await;
    let program = world.program_of("ada").await;
    let tool = |name: &str| {
        let parameters = json!({
            "type": "object",
            "properties": { "year": { "type": "integer", "minimum": 1, "maximum": 60 } },
            "required": ["year"],
            "additionalProperties": false,
        });
        json!({ "type": "function", "function": { "name": name, "description": "Days of leave", "parameters": parameters } })
    };
    let named = json!({ "type": "function", "function": { "name": "leave_days" } });
    for (retrieval, choice) in [(false, json!("required")), (false, named.clone()), (true, named)] {
        let tools = json!([tool("leave_days"), tool("sick_days")]);
        let more =
            json!({ "tools": tools, "tool_choice": choice, "max_tokens": 80, "carrel": { "retrieval": retrieval } });
        let mut wanted = question(more);
        let told = program.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
        let answer = &told["choices"][0];
        assert_eq!(answer["finish_reason"], "tool_calls", "{told}");
        let call = &answer["message"]["tool_calls"][0]["function"];
        if choice.is_object() {
            assert_eq!(call["name"], "leave_days");
        }
        let arguments: Value = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
        assert!(arguments["year"].as_u64().is_some_and(|year| (1..=60).contains(&year)), "{arguments}");
        wanted["stream"] = json!(true);
        let events = program.post(CHAT, &wanted).await.expect(StatusCode::OK).events();
        let streamed = events.iter().find_map(|event| event["choices"][0]["delta"]["tool_calls"][0].as_object());
        assert_eq!(streamed.unwrap()["function"], *call, "greedy, so the same again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_model_answers_too() {
    let (world, _) = with_handbook().await;
    let program = world.program_of("ada").await;
    let wanted = question(json!({ "carrel": { "retrieval": false }, "max_tokens": 8 }));
    let told = program.post(CHAT, &wanted).await.expect(StatusCode::OK).json();
    let text = told["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(!text.trim().is_empty());
    let streamed = question(json!({ "carrel": { "retrieval": false }, "max_tokens": 8, "stream": true }));
    let events = program.post(CHAT, &streamed).await.expect(StatusCode::OK).events();
    let pieces: String = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(pieces, text, "greedy, so the same again");
    assert_eq!(told["usage"]["completion_tokens"].as_u64().map(|tokens| tokens <= 8), Some(true));
}
