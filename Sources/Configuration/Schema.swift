extension Model {
    /// A JSON Schema (draft 2020-12) of configuration files, made from the fields. Every document that it accepts can be read, although names, addresses and
    /// rates in it may not go together. It is stricter than the reader in two points: keywords must be in small letters, and numbers must be numbers, not
    /// texts.
    public static var schema: Document {
        var writer = SchemaWriter()
        let sections = writer.object(Fields.all.sections, mayBeEmpty: true)
        let head: [(key: String, value: Document)] = [
            ("$schema", .text("https://json-schema.org/draft/2020-12/schema")), ("title", .text("Sluice's configuration")),
        ]
        return .map(head + sections + [("$defs", .map(writer.definitions))])
    }
}

/// Makes the schemas of objects and values, and collects the definitions that they refer to.
private struct SchemaWriter {
    typealias Keywords = [(key: String, value: Document)]

    /// The definitions by their names, in the order in which they are first referred to.
    private(set) var definitions: Keywords = []

    /// - Parameter mayBeEmpty: whether the value may be empty (YAML's null), which is read as a map without keys, if no key is required.
    mutating func object(_ fields: [FieldDescription], mayBeEmpty: Bool) -> Keywords {
        let required = fields.filter { $0.isRequired && $0.types == nil }
        return [("type", Self.type("object", mayBeEmpty && required.isEmpty))] + [("properties", .map(fields.map { ($0.key, .map(property($0))) })), ("additionalProperties", .flag(false))]
            + Self.list("required", required.map { .text($0.key) }) + Self.list("allOf", Self.kinds(fields) + fields.alternatives.map(Self.one))
    }

    private mutating func property(_ field: FieldDescription) -> Keywords {
        let bounds = field.value.bounds.map { " (\($0))" } ?? "", types = field.types.map { "; \($0.map(\.rawValue).joined(separator: " and ")) ports" } ?? ""
        let about: Keywords = [("description", .text(field.help + bounds + types))] + (field.standard.map { [("default", $0)] } ?? [])
        let value = value(field.value, mayBeEmpty: true)
        guard field.mayBeUnset else { return about + value }
        let unset = Document.map([("enum", .list((field.isText ? ["none"] : ["none", "default"]).map { .text($0) }))])
        // A value that must be there cannot be reset.
        return about + (field.isRequired || field.group != nil ? value + [("not", unset)] : [("anyOf", .list([.map(value), unset]))])
    }

    private mutating func value(_ value: FieldValue, mayBeEmpty: Bool = false) -> Keywords {
        switch value {
        case .flag: return [("enum", .list([.flag(true), .flag(false)] + ["on", "off", "yes", "no", "true", "false"].map { .text($0) }))]
        case .integer(let range):
            return [("type", .text("integer")), ("minimum", .number(Int64(range.lowerBound))), ("maximum", .number(Int64(range.upperBound)))]
        case .quantity(let quantity, _):
            return reference(quantity.noun.replacing(" ", with: "-")) { _ in
                [("type", .text("string")), ("pattern", .text(quantity.pattern)), ("examples", .list([.text(quantity.example)]))]
            }
        case .choice(let words): return [("enum", .list(words.map { .text($0) }))]
        case .text(let form):
            let type = form.mayBeNumber ? Document.list([.text("string"), .text("integer")]) : .text("string")
            return [("type", type)] + (form.pattern.map { [("pattern", .text($0))] } ?? []) + [("examples", .list([.text(form.example)]))]
        case .list(let item): return [("type", Self.type("array", mayBeEmpty)), ("items", .map(self.value(item)))]
        case .map(let fields, let name?): return reference(name) { $0.object(fields, mayBeEmpty: true) }
        case .map(let fields, nil): return object(fields, mayBeEmpty: mayBeEmpty)
        case .named(let value):
            let names = Document.map([("pattern", TextForm.name.pattern.map { .text($0) } ?? .text(""))])
            return [("type", Self.type("object", mayBeEmpty)), ("propertyNames", names), ("additionalProperties", .map(self.value(value, mayBeEmpty: true)))]
        case .oneOf(let keys, let value):
            return [
                ("type", .text("object")), ("properties", .map(keys.map { ($0, .map(self.value(value))) })), ("additionalProperties", .flag(false)),
                ("minProperties", .number(1)), ("maxProperties", .number(1)),
            ]
        case .either(let all): return [("anyOf", .list(all.map { .map(self.value($0)) }))]
        }
    }

    /// A reference to a schema among the definitions, where `make` puts it when it is first referred to.
    private mutating func reference(_ name: String, _ make: (inout Self) -> Keywords) -> Keywords {
        if !definitions.contains(where: { $0.key == name }) {
            let place = definitions.count
            definitions.append((name, .map([])))
            definitions[place].value = .map(make(&self))
        }
        return [("$ref", .text("#/$defs/\(name)"))]
    }

    /// Conditions that say which keys a port of each type must have and cannot have. Empty: the keys are not those of a port.
    private static func kinds(_ fields: [FieldDescription]) -> [Document] {
        guard fields.contains(where: { $0.types != nil }) else { return [] }
        return PortType.allCases.map { type in
            let foreign = fields.filter { $0.types.map { !$0.contains(type) } ?? false }, needed = fields.filter { $0.isRequired && $0.types?.contains(type) ?? false }
            let isType = Document.map([("properties", .map([("type", .map([("const", .text(type.rawValue))]))])), ("required", .list([.text("type")]))])
            let then = [("properties", Document.map(foreign.map { ($0.key, .flag(false)) }))] + list("required", needed.map { .text($0.key) })
            return .map([("if", isType), ("then", .map(then))])
        }
    }

    private static func one(of keys: [String]) -> Document { .map([("oneOf", .list(keys.map { .map([("required", .list([.text($0)]))]) }))]) }

    private static func type(_ name: String, _ mayBeEmpty: Bool) -> Document { mayBeEmpty ? .list([.text(name), .text("null")]) : .text(name) }

    private static func list(_ key: String, _ items: [Document]) -> Keywords { items.isEmpty ? [] : [(key, .list(items))] }
}

extension Quantity {
    /// A regular expression (ECMA 262) of the texts that are such a quantity.
    package var pattern: String { "^ *[0-9]+(\\.[0-9]+)? *(\(units.map(\.name.anyCase).joined(separator: "|"))) *$" }
}
