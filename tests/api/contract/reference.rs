//! `/api/docs`: the reference page.

use crate::support::Server;

#[tokio::test]
async fn it_is_served_whole_and_reaches_nothing_else() {
    let server = Server::plain().await;
    let person = server.anonymous();
    assert_eq!(
        person.get("/api/docs").await.header("location"),
        "/api/docs/"
    );
    let page = person.get("/api/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let mut files = 0;
    for part in page
        .text
        .split(['"', '\''])
        .filter(|part| part.starts_with("./"))
    {
        let path = format!("/api/docs/{}", part.trim_start_matches("./"));
        assert_eq!(person.get(&path).await.status, 200, "{path}");
        files += 1;
    }
    assert!(files >= 4, "{}", page.text);
    assert!(
        !page.text.contains("http://") && !page.text.contains("https://"),
        "{}",
        page.text
    );
    let start = person.get("/api/docs/swagger-initializer.js").await.text;
    assert!(
        start.contains("/api/openapi.json") && start.contains("\"validatorUrl\": \"none\""),
        "{start}"
    );
    assert_eq!(person.get("/api/docs/no.js").await.code(), "not_found");
}

#[tokio::test]
async fn its_policy_has_no_inline_code() {
    let server = Server::plain().await;
    let page = server.anonymous().get("/api/docs/").await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    assert!(policy.contains("connect-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let inline = page.text.split("<script").skip(1);
    for script in inline {
        assert!(
            script.split('>').next().unwrap().contains("src="),
            "{script}"
        );
    }
}
