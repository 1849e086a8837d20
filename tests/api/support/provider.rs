//! A small provider of OpenID Connect: discovery, keys, codes, signed tokens. It holds clients to the
//! protocol, and lies in its tokens where a test wants it to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use openidconnect::core::{
    CoreIdToken, CoreIdTokenClaims, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
    CoreRsaPrivateSigningKey,
};
use openidconnect::{
    AccessToken, JsonWebKeyId, PkceCodeChallenge, PkceCodeVerifier, PrivateSigningKey as _,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// What clients call themselves.
pub(crate) const CLIENT: &str = "tallylight";
/// And prove by; with what has to be escaped in a Basic header.
pub(crate) const CLIENT_SECRET: &str = "s3cret";

/// The provider.
#[derive(Clone)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    /// What the next tokens say, over what they should.
    claims: Map<String, Value>,
    /// Tokens are signed by a key that is not among the published ones.
    by_stranger: bool,
    /// What was asked for with each code that is not used yet.
    codes: HashMap<String, HashMap<String, String>>,
    redeemed: usize,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self {
            issuer,
            inner: Arc::default(),
        };
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        provider
    }

    /// Its section of the configuration, named `work`.
    pub(crate) fn config(&self) -> tallylight::config::OidcProvider {
        tallylight::config::OidcProvider {
            name: "work".to_owned(),
            label: "Work account".to_owned(),
            issuer: self.issuer.clone(),
            client_id: CLIENT.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            ..Default::default()
        }
    }

    /// Tokens say this from now on, over what they should.
    pub(crate) fn say(&self, claims: Value) {
        let Value::Object(claims) = claims else {
            panic!("claims are an object");
        };
        self.inner.lock().unwrap().claims = claims;
    }

    /// Tokens are signed by somebody else from now on.
    pub(crate) fn sign_by_stranger(&self) {
        self.inner.lock().unwrap().by_stranger = true;
    }

    /// How many codes were redeemed.
    pub(crate) fn redeemed(&self) -> usize {
        self.inner.lock().unwrap().redeemed
    }
}

fn key(by_stranger: bool) -> CoreRsaPrivateSigningKey {
    let pem = match by_stranger {
        true => include_str!("stranger.pem"),
        false => include_str!("provider.pem"),
    };
    let id = JsonWebKeyId::new("first".to_owned());
    CoreRsaPrivateSigningKey::from_pem(pem, Some(id)).unwrap()
}

async fn discovery(State(provider): State<Provider>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys() -> Json<CoreJsonWebKeySet> {
    Json(CoreJsonWebKeySet::new(vec![
        key(false).as_verification_key(),
    ]))
}

/// Everybody who comes here is Ada and says yes.
async fn authorize(
    State(provider): State<Provider>,
    Query(asked): Query<HashMap<String, String>>,
) -> Redirect {
    assert_eq!(asked["client_id"], CLIENT);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
    let mut inner = provider.inner.lock().unwrap();
    let code = format!("code-{}", inner.codes.len() + inner.redeemed);
    let (redirect, state) = (asked["redirect_uri"].clone(), asked["state"].clone());
    inner.codes.insert(code.clone(), asked);
    Redirect::to(&format!("{redirect}?code={code}&state={state}"))
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |why: &str| {
        let body = json!({ "error": why });
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    };
    // `tallylight:s3cret` in base 64.
    let basic = "Basic dGFsbHlsaWdodDpzM2NyZXQ=";
    if headers
        .get("authorization")
        .is_none_or(|given| given != basic)
    {
        return refuse("invalid_client");
    }
    let mut inner = provider.inner.lock().unwrap();
    let Some(begun) = asked.get("code").and_then(|code| inner.codes.remove(code)) else {
        return refuse("invalid_grant");
    };
    let verifier = PkceCodeVerifier::new(asked["code_verifier"].clone());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    if challenge.as_str() != begun["code_challenge"]
        || asked["redirect_uri"] != begun["redirect_uri"]
    {
        return refuse("invalid_grant");
    }
    inner.redeemed += 1;
    let now = jiff::Timestamp::now().as_second();
    let mut claims = json!({
        "iss": provider.issuer, "aud": CLIENT, "sub": "ada-1", "iat": now, "exp": now + 300,
        "nonce": begun["nonce"], "preferred_username": "Ada Lovelace",
    });
    for (name, value) in &inner.claims {
        claims[name] = value.clone();
    }
    let claims: CoreIdTokenClaims = serde_json::from_value(claims).unwrap();
    let access = AccessToken::new("access".to_owned());
    let alg = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
    let key = key(inner.by_stranger);
    let id_token = CoreIdToken::new(claims, &key, alg, Some(&access), None).unwrap();
    let body = json!({
        "access_token": "access", "token_type": "Bearer", "id_token": id_token.to_string(),
    });
    Json(body).into_response()
}
