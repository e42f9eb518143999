import Configuration

/// A JSON value.
indirect enum Value: Equatable {
    case null
    case flag(Bool)
    case number(Int64)
    case text(String)
    case list([Value])
    case map([String: Value])

    init(_ document: Document) {
        switch document {
        case .text(let text): self = .text(text)
        case .number(let number): self = .number(number)
        case .flag(let flag): self = .flag(flag)
        case .list(let items): self = .list(items.map(Value.init))
        case .map(let entries): self = .map(Dictionary(entries.map { ($0.key, Value($0.value)) }) { first, _ in first })
        }
    }

    /// Reads the value from YAML; plain scalars have the types that YAML 1.2 gives them.
    init(yaml: String) throws { self.init(try YAMLReader.element(yaml)) }

    private init(_ element: Element) {
        switch element.content {
        case .empty: self = .null
        case .scalar(let text): self = Int64(text).map { .number($0) } ?? ["true": true, "false": false][text].map { .flag($0) } ?? .text(text)
        case .list(let items): self = .list(items.map(Value.init))
        case .map(let entries): self = .map(Dictionary(entries.map { ($0.key, Value($0.value)) }) { first, _ in first })
        }
    }

    /// The value as YAML, on one line.
    var yaml: String {
        switch self {
        case .null: "null"
        case .flag(let flag): "\(flag)"
        case .number(let number): "\(number)"
        case .text(let text): "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
        case .list(let items): "[\(items.map(\.yaml).joined(separator: ", "))]"
        case .map(let entries): "{\(entries.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value.yaml)" }.joined(separator: ", "))}"
        }
    }

    subscript(key: String) -> Value? { if case .map(let entries) = self { entries[key] } else { nil } }
    var items: [Value] { if case .list(let items) = self { items } else { [] } }
    var string: String? { if case .text(let text) = self { text } else { nil } }
    var integer: Int64? { if case .number(let number) = self { number } else { nil } }
    var entries: [String: Value] { if case .map(let entries) = self { entries } else { [:] } }
}

/// Implements the part of JSON Schema (2020-12) that the schema uses. An unknown keyword is reported as a fault, so that none is ignored.
final class SchemaValidator {
    let schema: Value
    private var patterns: [String: Regex<AnyRegexOutput>] = [:]

    init(_ schema: Value) { self.schema = schema }

    func faults(_ value: Value) -> [String] { faults(value, schema, "") }

    /// The schema that `$ref` refers to.
    func resolved(_ schema: Value) -> Value {
        guard let name = schema["$ref"]?.string, name.hasPrefix("#/$defs/") else { return schema }
        return self.schema["$defs"]?[String(name.dropFirst("#/$defs/".count))] ?? .null
    }

    private func faults(_ value: Value, _ schema: Value, _ path: String) -> [String] {
        switch schema {
        case .flag(true): return []
        case .flag(false): return ["\(path): must not be there"]
        case .map(let keywords): return keywords.flatMap { faults(value, $0.key, $0.value, schema, path) }
        default: return ["\(path): no schema"]
        }
    }

    private func faults(_ value: Value, _ keyword: String, _ argument: Value, _ schema: Value, _ path: String) -> [String] {
        func check(_ isGood: Bool) -> [String] { isGood ? [] : ["\(path): \(value.yaml) against \(keyword) \(argument.yaml)"] }
        switch keyword {
        case "$schema", "title", "description", "default", "examples", "$defs", "then": return []
        case "$ref":
            let target = resolved(schema)
            return target == .null ? ["\(path): nothing at \(argument.yaml)"] : faults(value, target, path)
        case "type": return check((argument.items.isEmpty ? [argument] : argument.items).contains(.text(Self.type(of: value))))
        case "enum": return check(argument.items.contains(value))
        case "const": return check(argument == value)
        case "minimum": return check(value.integer.map { $0 >= argument.integer! } ?? true)
        case "maximum": return check(value.integer.map { $0 <= argument.integer! } ?? true)
        case "pattern": return check(value.string.map { matches($0, argument.string!) } ?? true)
        case "items": return value.items.enumerated().flatMap { faults($1, argument, "\(path)[\($0)]") }
        case "properties": return value.entries.flatMap { key, inner in argument[key].map { faults(inner, $0, "\(path).\(key)") } ?? [] }
        case "additionalProperties":
            let known = schema["properties"]?.entries ?? [:]
            return value.entries.filter { known[$0.key] == nil }.flatMap { faults($0.value, argument, "\(path).\($0.key)") }
        case "propertyNames": return value.entries.keys.flatMap { faults(.text($0), argument, path) }
        case "required": if case .map(let entries) = value { return check(argument.items.allSatisfy { entries[$0.string!] != nil }) } else { return [] }
        case "minProperties": if case .map(let entries) = value { return check(entries.count >= argument.integer!) } else { return [] }
        case "maxProperties": if case .map(let entries) = value { return check(entries.count <= argument.integer!) } else { return [] }
        case "anyOf": return check(argument.items.contains { faults(value, $0, path).isEmpty })
        case "oneOf": return check(argument.items.count { faults(value, $0, path).isEmpty } == 1)
        case "allOf": return argument.items.flatMap { faults(value, $0, path) }
        case "not": return check(!faults(value, argument, path).isEmpty)
        case "if": return faults(value, argument, path).isEmpty ? faults(value, schema["then"] ?? .flag(true), path) : []
        default: return ["\(path): unknown keyword \(keyword)"]
        }
    }

    private func matches(_ text: String, _ pattern: String) -> Bool {
        if patterns[pattern] == nil { patterns[pattern] = try? Regex(pattern) }
        return patterns[pattern].map { text.firstMatch(of: $0) != nil } ?? false
    }

    private static func type(of value: Value) -> String {
        switch value {
        case .null: "null"
        case .flag: "boolean"
        case .number: "integer"
        case .text: "string"
        case .list: "array"
        case .map: "object"
        }
    }
}
