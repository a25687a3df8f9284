//! The routes of the HTTP API: the emulator makes the API without what stands in its `Body`. So they are made by hand, one by one, of
//! what SAM has made of the template.

use serde_json::{Value, json};

use crate::deployment::{ACCOUNT, FUNCTIONS, STACK};

/// Opens every route that the deployed template names, and no other.
pub(crate) fn open_routes(api: &str) {
    let answer = emulator::ask_query(
        "cloudformation",
        "2010-05-15",
        "GetTemplate",
        &[("StackName", STACK), ("TemplateStage", "Processed")],
    );
    let text = answer.split("<TemplateBody>").nth(1).and_then(|rest| rest.split("</TemplateBody>").next());
    let text = without_entities(text.expect("a template"));
    let template: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    let paths = template["Resources"]["Api"]["Properties"]["Body"]["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        for (method, route) in methods.as_object().unwrap() {
            let integration = &route["x-amazon-apigateway-integration"];
            let made = emulator::make_in_api(
                &format!("/apis/{api}/integrations"),
                &json!({
                    "integrationType": "AWS_PROXY",
                    "integrationMethod": integration["httpMethod"],
                    "integrationUri": function_of(&integration["uri"]),
                    "payloadFormatVersion": integration["payloadFormatVersion"],
                    "timeoutInMillis": integration["timeoutInMillis"],
                }),
            );
            let made = made["integrationId"].as_str().unwrap();
            let route = json!({
                "routeKey": format!("{} {path}", method.to_uppercase()),
                "target": format!("integrations/{made}"),
            });
            let _ = emulator::make_in_api(&format!("/apis/{api}/routes"), &route);
        }
    }
}

/// `…:lambda:path/2015-03-31/functions/${Approvals.Arn}/invocations`
fn function_of(uri: &Value) -> String {
    let uri = uri["Fn::Sub"].as_str().unwrap_or_else(|| panic!("{uri}"));
    let name = uri.split("/functions/${").nth(1).and_then(|rest| rest.split(".Arn}/").next());
    let name = name.unwrap_or_else(|| panic!("{uri}")).to_lowercase();
    assert!(FUNCTIONS.iter().any(|(function, _)| *function == name), "{uri}");
    format!("arn:aws:lambda:{}:{ACCOUNT}:function:{STACK}-{name}", emulator::REGION)
}

fn without_entities(text: &str) -> String {
    let named =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&#x27;", "'")];
    let text = named.into_iter().fold(text.to_owned(), |text, (name, sign)| text.replace(name, sign));
    // Last, so that nothing is made into an entity that was none.
    text.replace("&amp;", "&")
}
