import Configuration

extension LibvirtDomain {
    /// The namespace of Sluice's element in a domain's `<metadata>`.
    public static let metadataNamespace = LibvirtMetadata.namespace

    /// A RelaxNG schema (ISO/IEC 19757-2) of that element, generated from the keys of Sluice's configuration. Sluice reads every element that is valid by the
    /// schema, but may still refuse it, because the schema cannot check whether names, addresses and rates fit together. The schema accepts keywords in lower
    /// case only.
    public static let metadataSchema = RelaxNGWriter().schema
}

/// Writes the schema. Each function returns a part of the schema as text.
private struct RelaxNGWriter {
    let namespace = LibvirtMetadata.namespace

    var schema: String {
        let classes = LibvirtMetadata.guestKeys.filter { $0.key == "inbound" || $0.key == "outbound" }.map(optional)
        let protocols = element("protocol", [attribute("name", name)] + classes)
        let mac = pattern(TextForm.mac.pattern)
        let own = LibvirtMetadata.ownKeys.map { key in
            tag("optional", [attribute(key, key == "mac" ? mac : key == "network" || key == "portgroup" ? "<text/>" : name)])
        }
        let interface = element(
            "interface",
            [tag("interleave", own + (LibvirtMetadata.portKeys + LibvirtMetadata.guestKeys).map(optional) + [tag("zeroOrMore", [protocols])])])
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <grammar xmlns="http://relaxng.org/ns/structure/1.0" datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes">
            <start>
            <element name="domain" ns="\(namespace)">
            \(tag("zeroOrMore", [interface]))
            </element>
            </start>
            </grammar>

            """
    }

    private var name: String { pattern(TextForm.name.pattern) }

    private func tag(_ name: String, _ inner: [String]) -> String { "<\(name)>\n\(inner.joined(separator: "\n"))\n</\(name)>" }

    private func attribute(_ name: String, _ value: String) -> String { "<attribute name=\"\(name)\">\n\(value)\n</attribute>" }

    /// An element whose name may be in Sluice's namespace or in none.
    private func element(_ name: String, _ inner: [String]) -> String {
        let names = "<choice><name ns=\"\(namespace)\">\(name)</name><name ns=\"\">\(name)</name></choice>"
        return tag("element", [names] + (inner.isEmpty ? ["<empty/>"] : inner))
    }

    private func choice(_ all: [String]) -> String { all.count == 1 ? all[0] : tag("choice", all) }

    /// A key that may be missing. It is an attribute, or an element if its value is a map.
    private func optional(_ field: FieldDescription) -> String { tag("optional", [key(field)]) }

    private func key(_ field: FieldDescription) -> String {
        let values =
            values(field.value) + (field.mayBeUnset ? (field.isText ? ["none"] : ["none", "default"]).map { "<value type=\"string\">\($0)</value>" } : [])
        return choice(
            (values.isEmpty ? [] : [attribute(field.key, choice(values))]) + maps(field.value).map { element(field.key, [tag("interleave", $0.map(inner))]) })
    }

    private func inner(_ field: FieldDescription) -> String { field.isRequired ? key(field) : optional(field) }

    private func maps(_ value: FieldValue) -> [[FieldDescription]] {
        switch value {
        case .map(let fields, _): [fields]
        case .either(let all): all.flatMap(maps)
        default: []
        }
    }

    /// The patterns of what an attribute's value may be; none if the value can only be written as an element.
    private func values(_ value: FieldValue) -> [String] {
        switch value {
        case .flag: return ["on", "off", "yes", "no", "true", "false"].map { "<value type=\"string\">\($0)</value>" }
        case .integer(let range):
            return [
                "<data type=\"integer\"><param name=\"minInclusive\">\(range.lowerBound)</param><param name=\"maxInclusive\">\(range.upperBound)</param></data>"
            ]
        case .quantity(let quantity, _): return [pattern(quantity.pattern)]
        case .choice(let words): return words.map { "<value type=\"string\">\($0)</value>" }
        case .text(let form): return [pattern(form.pattern)]
        case .list(.text(let form)):
            guard let one = form.pattern.map(unanchored) else { return ["<text/>"] }
            return [pattern("(\(one))(, *(\(one)))*")]
        case .list(.integer): return [pattern("[0-9]+(, *[0-9]+)*")]
        case .list(.either(let all)): return values(.either(all))
        case .either(let all): return all.flatMap(values)
        case .list, .map, .named, .oneOf: return []
        }
    }

    /// The pattern of a text that matches a regular expression; any text if that is nil.
    private func pattern(_ text: String?) -> String {
        guard let text else { return "<text/>" }
        let escaped = unanchored(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
        return "<data type=\"string\"><param name=\"pattern\">\(escaped)</param></data>"
    }

    /// A regular expression without its anchors, as patterns in schemas always match whole texts.
    private func unanchored(_ pattern: String) -> String { String(pattern.trimmingPrefix("^").reversed().trimmingPrefix("$").reversed()) }
}
