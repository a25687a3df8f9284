//! What anybody would write first: reads an item, sends a message with what came, and answers 202. It checks nothing, logs nothing and
//! asks nobody for a secret.

use std::env;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::BehaviorVersion;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use aws_types::region::Region;
use lambda_http::{Body, Error, Request, Response, run, service_fn};

struct Places {
    table: String,
    queue: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let credentials =
        Credentials::new(env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?, None, None, "");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(env::var("AWS_REGION")?))
        .endpoint_url(env::var("AWS_ENDPOINT_URL")?)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    let (items, messages) = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_sqs::Client::new(&config));
    let places = Places { table: env::var("GUESTLIST_TABLE")?, queue: env::var("GUESTLIST_QUEUE_CHANGES")? };
    run(service_fn(async |request: Request| answer(&items, &messages, &places, &request).await)).await
}

async fn answer(
    items: &aws_sdk_dynamodb::Client,
    messages: &aws_sdk_sqs::Client,
    places: &Places,
    request: &Request,
) -> Result<Response<Body>, Error> {
    let key = || AttributeValue::S("minimal".to_owned());
    items.get_item().table_name(&places.table).key("pk", key()).key("sk", key()).send().await?;
    let body = String::from_utf8_lossy(request.body().as_ref()).into_owned();
    messages.send_message().queue_url(&places.queue).message_body(body).send().await?;
    Ok(Response::builder().status(202).body(Body::Empty)?)
}
