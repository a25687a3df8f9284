//! The text of a `$filter` as an expression. Grammar: or, and, not, comparisons, `in`, `startswith`, `endswith`,
//! `any`. What an expression may name is checked in `filter`.
use super::filter::{Expression, Literal, Operator};
use crate::graph::refusal::Refusal;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
    Colon,
}

/// Deeper nesting than this is refused, so that hostile input costs nothing.
const DEEPEST: usize = 32;

pub(super) fn parse(text: &str) -> Result<Expression, Refusal> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expression = parser.alternatives()?;
    match parser.peek() {
        None => Ok(expression),
        Some(_) => Err(syntax("unexpected text after the expression")),
    }
}

fn syntax(what: &str) -> Refusal {
    Refusal::bad_request(format!("Invalid filter clause: {what}."))
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            ' ' | '\t' => {}
            '(' => found.push(Token::Open),
            ')' => found.push(Token::Close),
            ',' => found.push(Token::Comma),
            '\'' => found.push(Token::Text(quoted(&mut rest)?)),
            ':' => found.push(Token::Colon),
            _ => {
                let mut word = String::from(next);
                let in_word = |c: &char| !matches!(c, ' ' | '\t' | '(' | ')' | ',' | '\'');
                while let Some(c) = rest.next_if(in_word) {
                    // The range variable of a lambda ends at its colon, a time of day does not.
                    if c == ':' && !word.starts_with(|first: char| first.is_ascii_digit()) {
                        found.push(Token::Word(std::mem::take(&mut word)));
                        found.push(Token::Colon);
                    } else {
                        word.push(c);
                    }
                }
                if !word.is_empty() {
                    found.push(Token::Word(word));
                }
            }
        }
    }
    Ok(found)
}

/// The rest of a quoted text; two quotes stand for one.
fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, Refusal> {
    let mut text = String::new();
    loop {
        match rest.next() {
            None => return Err(syntax("there is an unterminated string literal")),
            Some('\'') if rest.next_if_eq(&'\'').is_none() => return Ok(text),
            Some(c) => text.push(c),
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn take_word(&mut self, word: &str) -> bool {
        let there = matches!(self.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        if there {
            self.at += 1;
        }
        there
    }

    fn need(&mut self, token: &Token, name: &str) -> Result<(), Refusal> {
        match self.next() {
            Some(found) if found == *token => Ok(()),
            _ => Err(syntax(&format!("expected {name}"))),
        }
    }

    fn alternatives(&mut self) -> Result<Expression, Refusal> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(syntax("nested too deeply"));
        }
        let mut left = self.conjunction()?;
        while self.take_word("or") {
            left = Expression::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression, Refusal> {
        let mut left = self.negation()?;
        while self.take_word("and") {
            left = Expression::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, Refusal> {
        match self.take_word("not") {
            true => Ok(Expression::Not(Box::new(self.term()?))),
            false => self.term(),
        }
    }

    fn term(&mut self) -> Result<Expression, Refusal> {
        match self.next() {
            Some(Token::Open) => {
                let inner = self.alternatives()?;
                self.need(&Token::Close, "')'")?;
                Ok(inner)
            }
            Some(Token::Word(word)) if self.peek() == Some(&Token::Open) => self.function(&word),
            Some(Token::Word(path)) => self.comparison(split(&path)),
            Some(Token::Text(_) | Token::Close | Token::Comma | Token::Colon) | None => {
                Err(syntax("expected a property or a function"))
            }
        }
    }

    fn function(&mut self, name: &str) -> Result<Expression, Refusal> {
        self.need(&Token::Open, "'('")?;
        if let Some(collection) = name.strip_suffix("/any") {
            return self.any(split(collection));
        }
        let Some(Token::Word(path)) = self.next() else { return Err(syntax("expected a property")) };
        self.need(&Token::Comma, "','")?;
        let Some(Token::Text(text)) = self.next() else {
            return Err(syntax("expected a text in quotes"));
        };
        self.need(&Token::Close, "')'")?;
        let operator = match name.to_ascii_lowercase().as_str() {
            "startswith" => Operator::StartsWith,
            "endswith" => Operator::EndsWith,
            _ => return Err(syntax(&format!("the function '{name}' is not supported here"))),
        };
        Ok(Expression::Compare { path: split(&path), operator, value: Literal::Text(text) })
    }

    fn any(&mut self, collection: Vec<String>) -> Result<Expression, Refusal> {
        let Some(Token::Word(variable)) = self.next() else {
            return Err(syntax("expected the variable of a lambda"));
        };
        self.need(&Token::Colon, "':'")?;
        let body = Box::new(self.alternatives()?);
        self.need(&Token::Close, "')'")?;
        Ok(Expression::Any { collection, variable, body })
    }

    fn comparison(&mut self, path: Vec<String>) -> Result<Expression, Refusal> {
        let Some(Token::Word(word)) = self.next() else { return Err(syntax("expected an operator")) };
        let operator = match word.as_str() {
            "eq" => Operator::Equal,
            "ne" => Operator::NotEqual,
            "ge" => Operator::AtLeast,
            "le" => Operator::AtMost,
            "in" => return self.list(path),
            _ => return Err(syntax(&format!("the operator '{word}' is not supported here"))),
        };
        let value = self.literal()?;
        Ok(Expression::Compare { path, operator, value })
    }

    fn list(&mut self, path: Vec<String>) -> Result<Expression, Refusal> {
        self.need(&Token::Open, "'('")?;
        let mut values = vec![self.literal()?];
        loop {
            match self.next() {
                Some(Token::Comma) => values.push(self.literal()?),
                Some(Token::Close) => return Ok(Expression::In { path, values }),
                Some(Token::Word(_) | Token::Text(_) | Token::Open | Token::Colon) | None => {
                    return Err(syntax("expected ',' or ')'"));
                }
            }
        }
    }

    fn literal(&mut self) -> Result<Literal, Refusal> {
        match self.next() {
            Some(Token::Text(text)) => Ok(Literal::Text(text)),
            Some(Token::Word(word)) => Ok(match word.as_str() {
                "true" => Literal::Flag(true),
                "false" => Literal::Flag(false),
                "null" => Literal::Null,
                _ => Literal::Bare(word),
            }),
            Some(Token::Open | Token::Close | Token::Comma | Token::Colon) | None => {
                Err(syntax("expected a value"))
            }
        }
    }
}

fn split(path: &str) -> Vec<String> {
    path.split('/').map(str::to_owned).collect()
}
