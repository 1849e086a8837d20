//! Who asks: somebody without a login, somebody signed in, an encoder, a player.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use sfu::SessionId;

use super::Server;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("the body comes");
        Self {
            status,
            headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            bytes: bytes.into(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The stable code of a problem; it must be one by its content type, too.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], self.status.as_u16());
        assert!(!body["detail"].as_str().unwrap().is_empty());
        body["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    /// The session that `Location` names.
    pub(crate) fn session(&self) -> SessionId {
        let location = self.header("location");
        let id = location.rsplit('/').next().unwrap();
        id.parse()
            .unwrap_or_else(|_| panic!("no session in {self:?}"))
    }
}

/// Somebody without a login; the base of all others.
#[derive(Debug, Clone)]
pub(crate) struct Anonymous {
    http: Client,
    pub(crate) base: String,
    pub(crate) origin: Option<String>,
    cookie: Option<String>,
}

impl Anonymous {
    pub(crate) fn new(server: &Server) -> Self {
        Self::at(&format!("http://{}", server.app.http))
    }

    /// Before a server of which only the address is known.
    pub(crate) fn at(base: &str) -> Self {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self::with(http, base)
    }

    /// Before a server that takes a client of its own.
    pub(crate) fn with(http: Client, base: &str) -> Self {
        let base = base.to_owned();
        Self {
            http,
            origin: Some(base.clone()),
            base,
            cookie: None,
        }
    }

    /// The same person, as if a page of another origin asked; none: no page at all.
    pub(crate) fn of_origin(mut self, origin: Option<&str>) -> Self {
        self.origin = origin.map(str::to_owned);
        self
    }

    pub(crate) fn cookie(&self) -> Option<&str> {
        self.cookie.as_deref()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(origin) = &self.origin {
            request = request.header("origin", origin);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let method = method.parse().unwrap();
        Answer::of(self.request(method, path).headers(header_map(headers))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete_with(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::DELETE, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    pub(crate) async fn send_body(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self.request(method.parse().unwrap(), path);
        Answer::of(request.headers(header_map(headers)).body(body)).await
    }
}

fn header_map(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

/// Somebody signed in.
#[derive(Debug, Clone)]
pub(crate) struct Account(pub(crate) Anonymous);

impl std::ops::Deref for Account {
    type Target = Anonymous;

    fn deref(&self) -> &Anonymous {
        &self.0
    }
}

impl Account {
    pub(crate) async fn sign_in(server: &Server, name: &str, password: &str) -> Self {
        Self::sign_in_by(Anonymous::new(server), name, password).await
    }

    /// Whoever it is signs in.
    pub(crate) async fn sign_in_by(person: Anonymous, name: &str, password: &str) -> Self {
        let body = serde_json::json!({ "name": name, "password": password });
        let answer = person.post("/api/auth/login", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Self::with_cookie_of(person, &answer)
    }

    /// The person with the login that an answer gave.
    pub(crate) fn with_cookie_of(mut person: Anonymous, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap();
        person.cookie = Some(cookie.to_owned());
        Self(person)
    }

    /// What its browser sends.
    pub(crate) fn cookie(&self) -> &str {
        self.0.cookie.as_deref().unwrap_or_default()
    }

    /// Whether the login is still good.
    pub(crate) async fn is_signed_in(&self) -> bool {
        self.get("/api/session").await.status == 200
    }
}

/// A program with a personal token: no cookie, no page.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) http: Anonymous,
    pub(crate) token: String,
}

impl Program {
    pub(crate) fn new(server: &Server, token: &str) -> Self {
        Self {
            http: Anonymous::new(server).of_origin(None),
            token: token.to_owned(),
        }
    }

    /// Somebody's token with these scopes.
    pub(crate) async fn of(server: &Server, owner: &Account, scopes: &[&str]) -> Self {
        Self::lasting(server, owner, scopes, 365).await
    }

    /// The same for so many days.
    pub(crate) async fn lasting(
        server: &Server,
        owner: &Account,
        scopes: &[&str],
        days: i64,
    ) -> Self {
        let wish = serde_json::json!({ "name": "program", "scopes": scopes, "days": days });
        let answer = owner.post("/api/account/tokens", wish).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        Self::new(server, answer.json()["token"].as_str().unwrap())
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let headers = [
            ("content-type", "application/json"),
            ("authorization", authorization.as_str()),
        ];
        self.http
            .send_body(method, path, &headers, body.to_string())
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("authorization", authorization.as_str())];
        self.http.send("GET", path, &headers).await
    }
}

/// OBS and its like: a stream key, no cookie, no page.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) http: Anonymous,
    pub(crate) key: String,
}

impl Encoder {
    pub(crate) fn new(server: &Server, key: &str) -> Self {
        Self {
            http: Anonymous::new(server).of_origin(None),
            key: key.to_owned(),
        }
    }

    /// Its stream key.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.key)
    }

    pub(crate) async fn publish(&self, offer: String) -> Answer {
        self.publish_at("/whip", &self.bearer(), offer).await
    }

    pub(crate) async fn publish_at(
        &self,
        path: &str,
        authorization: &str,
        offer: String,
    ) -> Answer {
        let headers = [
            ("content-type", "application/sdp"),
            ("authorization", authorization),
        ];
        self.http.send_body("POST", path, &headers, offer).await
    }
}

/// Somebody who watches, from a page of another site.
#[derive(Debug, Clone)]
pub(crate) struct Player {
    pub(crate) http: Anonymous,
}

impl Player {
    pub(crate) fn new(server: &Server) -> Self {
        let http = Anonymous::new(server).of_origin(Some("https://elsewhere.example"));
        Self { http }
    }

    pub(crate) async fn view(&self, handle: &str, offer: String) -> Answer {
        let path = format!("/whep/{handle}");
        let headers = [("content-type", "application/sdp")];
        self.http.send_body("POST", &path, &headers, offer).await
    }
}
