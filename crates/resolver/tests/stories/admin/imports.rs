//! Users of an older system come over.

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures_util::stream;
use serde_json::{Value, json};
use wxgate_resolver::store::AdminStore;

use super::{ADMIN_TOKEN, Answer, Desk, ids, stories};
use crate::support::{With, pc};

stories!(
    ten_thousand_rows_come_over_but_for_three,
    an_imported_wechat_user_is_known,
    a_row_that_contradicts_what_is_there_is_told,
    a_file_that_is_none_is_refused,
    a_file_that_breaks_off_can_be_sent_again,
    one_import_runs_at_a_time,
);

impl<S: AdminStore> Desk<S> {
    async fn import(&self, kind: &str, file: impl Into<Body>) -> Answer {
        let request = Request::post("/v1/admin/imports?pool=default").header("content-type", kind);
        self.send(request.header("authorization", format!("Bearer {ADMIN_TOKEN}")).body(file.into()).unwrap()).await
    }
}

fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn end(answer: &Answer) -> Value {
    events(answer).pop().unwrap()
}

async fn ten_thousand_rows_come_over_but_for_three<S: AdminStore>(desk: Desk<S>) {
    let mut file = "external_id,name,username,email\n".to_owned();
    for number in 1..=10_000 {
        file += &match number {
            17 => "17,CANARY\0,,\n".to_owned(),
            4_000 => "4000,n,u3999,\n".to_owned(),
            9_999 => "9999,n,u9999,CANARY\n".to_owned(),
            _ => format!("{number},小明 {number},u{number},{number}@example.com\n"),
        };
    }
    let answer = desk.import("text/csv; charset=utf-8", file.clone()).await;
    let told = events(&answer);
    let counts = json!({"event": "end", "done": 10_000, "created": 9_997, "unchanged": 0, "failed": 3, "complete": true});
    assert_eq!(told.last().unwrap(), &counts);
    let failed: Vec<_> = told.iter().filter(|event| event["event"] == "row").collect();
    let places: Vec<_> = failed.iter().map(|row| (row["line"].as_u64().unwrap(), row["problems"][0]["field"].as_str().unwrap())).collect();
    assert_eq!(places, [(18, "name"), (4_001, "username"), (10_000, "email")]);
    assert!(failed[1]["problems"][0]["user_id"].is_string(), "who has the name");
    assert!(!answer.text().contains("CANARY"));
    let progress: Vec<_> = told.iter().filter(|event| event["event"] == "progress").map(|event| event["done"].as_u64().unwrap()).collect();
    assert!(progress.len() >= 50 && progress.is_sorted(), "{progress:?}");

    let again = json!({"event": "end", "done": 10_000, "created": 0, "unchanged": 9_997, "failed": 3, "complete": true});
    assert_eq!(end(&desk.import("text/csv", file).await), again);
    assert_eq!(desk.actions(None).await, ["users_imported"; 4], "each import is one, as a whole: its begin and its end");
}

async fn an_imported_wechat_user_is_known<S: AdminStore>(desk: Desk<S>) {
    let file = "external_id,name,platform,app_id,openid,unionid\r\n\
        crm-1,小明,main,wx0000000000000001,o-1,u-1\r\n\
        crm-2,,,,,\r\n";
    assert_eq!(end(&desk.import("text/csv", file).await)["created"], json!(2));
    let lines = [
        json!({"external_id": "crm-3", "identities": [
            {"platform": "main", "app_id": "wx0000000000000001", "openid": "o-3"},
            {"platform": "main", "app_id": "wx0000000000000002", "openid": "o-4", "unionid": "u-3"},
        ]}),
        json!({"external_id": "crm-4", "phone_number": "13800138000", "phone_number_verified": true}),
    ];
    let file: String = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(end(&desk.import("application/x-ndjson", file).await)["created"], json!(2));

    let find = async |name: &str| ids(&desk.get(&format!("/v1/admin/users?pool=default&match=exact&q={name}")).await["items"]).remove(0);
    for (request, name) in
        [(pc("o-1"), "crm-1"), (pc("o-2").unionid("u-1"), "crm-1"), (pc("o-3"), "crm-3"), (pc("o-9").unionid("u-3"), "crm-3")]
    {
        let login = desk.log_in(request).await;
        assert_eq!((login.user.to_string(), login.new_user), (find(name).await, false));
    }
}

async fn a_row_that_contradicts_what_is_there_is_told<S: AdminStore>(desk: Desk<S>) {
    let owner = desk.log_in(pc("o-1").unionid("u-1")).await.user.to_string();
    let line = |user: Value| format!("{user}\n");
    let file = [
        line(json!({"external_id": "1", "identities": [{"platform": "main", "unionid": "u-1"}]})),
        line(json!({"external_id": "2", "password": "correct horse"})),
        line(json!({"external_id": "3", "CANARY": 1})),
        line(json!({"name": "nobody"})),
        line(json!({"external_id": "4", "identities": [{"platform": "main", "unionid": "u-4"}]})),
        line(json!({"external_id": "5", "identities": [{"platform": "main", "unionid": "u-4"}]})),
        line(json!({"external_id": "4", "name": "twice in one file"})),
        "CANARY\n".to_owned(),
    ]
    .concat();
    let answer = desk.import("application/x-ndjson", file).await;
    let told = events(&answer);
    let rows: Vec<_> = told
        .iter()
        .filter(|event| event["event"] == "row")
        .map(|row| (row["line"].as_u64().unwrap(), row["problems"][0]["field"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [(1, "identities[0]"), (2, "password"), (3, "body"), (4, "external_id"), (6, "identities[0]"), (8, "body")]);
    assert_eq!(told[0]["problems"][0]["user_id"], json!(owner));
    assert_eq!(told.last().unwrap(), &json!({"event": "end", "done": 8, "created": 1, "unchanged": 1, "failed": 6, "complete": true}));
    assert!(!answer.text().contains("CANARY"));
}

async fn a_file_that_is_none_is_refused<S: AdminStore>(desk: Desk<S>) {
    for (kind, file, expected) in [
        ("application/json", "{}", (415, "unsupported-media-type")),
        ("text/csv", "", (400, "invalid-request")),
        ("text/csv", "name\nx\n", (400, "invalid-request")),
        ("text/csv", "external_id,CANARY\nx,y\n", (400, "invalid-request")),
    ] {
        let answer = desk.import(kind, file).await;
        assert_eq!(answer.problem(), (expected.0, expected.1.to_owned()), "{file}");
        assert!(!answer.text().contains("CANARY"));
    }
    let request = Request::post("/v1/admin/imports?pool=default").header("content-type", "text/csv").header("content-length", "67108865");
    let request = request.header("authorization", format!("Bearer {ADMIN_TOKEN}")).body(Body::from("external_id\n")).unwrap();
    assert_eq!(desk.send(request).await.problem(), (413, "body-too-large".into()));
    assert!(desk.actions(None).await.is_empty());
    assert_eq!(end(&desk.import("application/x-ndjson", "").await)["complete"], json!(true), "no lines are no rows");
}

async fn a_file_that_breaks_off_can_be_sent_again<S: AdminStore>(desk: Desk<S>) {
    let pieces = [Ok(Bytes::from("external_id\n1\n2\n")), Err("the wire was cut")];
    let told = end(&desk.import("text/csv", Body::from_stream(stream::iter(pieces))).await);
    assert_eq!((&told["complete"], &told["problem"]), (&json!(false), &json!("the file broke off")));
    let told = end(&desk.import("text/csv", "external_id\n1\n2\n3\n").await);
    assert_eq!((&told["complete"], &told["done"], &told["failed"]), (&json!(true), &json!(3), &json!(0)));
    assert_eq!(desk.get("/v1/admin/users?pool=default").await["items"].as_array().unwrap().len(), 3);
}

async fn one_import_runs_at_a_time<S: AdminStore>(desk: Desk<S>) {
    let (more, rest) = tokio::sync::mpsc::unbounded_channel::<Result<Bytes, String>>();
    more.send(Ok("external_id\n1\n".into())).unwrap();
    let file = Body::from_stream(stream::unfold(rest, |mut rest| async move { rest.recv().await.map(|piece| (piece, rest)) }));
    let first = desk.import("text/csv", file);
    let second = async {
        // Until the first one has begun.
        loop {
            match desk.import("text/csv", "external_id\n2\n").await {
                busy if busy.status == StatusCode::SERVICE_UNAVAILABLE => break busy.problem(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let (told, busy) = tokio::join!(first, async {
        let busy = second.await;
        drop(more);
        busy
    });
    assert_eq!(busy, (503, "overloaded".into()));
    assert_eq!(end(&told)["created"], json!(1));
}
