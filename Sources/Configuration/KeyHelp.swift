extension EditObject {
    /// Help for the keys that `add` and `set` of this object take: what each takes and does, in lines that fit on a terminal. nil: the object has no such keys.
    public var keys: String? {
        let fields = fields
        return fields.isEmpty ? nil : KeyHelp.text(fields, rawValue)
    }

    /// The keys of this kind of object; empty if it has no table of keys.
    package var fields: [FieldDescription] {
        let fields = Fields.all
        return switch self {
        case .port: fields.port.map(\.about)
        case .bridge: fields.bridge.map(\.about)
        case .group: fields.group.map(\.about)
        case .guest: fields.guest.map(\.about)
        case .class: fields.classes.map(\.about)
        case .protocol: fields.protocolRow.map(\.about)
        case .filter: fields.filter.map(\.about)
        case .mirror: fields.mirror.map(\.about)
        case .fdb, .core: []
        }
    }
}

private enum KeyHelp {
    /// The length of a terminal's line, and the column in it where the description of a key begins.
    static let width = 79, column = 26

    static func text(_ all: [FieldDescription], _ noun: String) -> String {
        let fields = all.filter { $0.key != "name" && !$0.isInFilesOnly }
        var kinds: [[PortType]?] = []
        for field in fields where !kinds.contains(field.types) { kinds.append(field.types) }
        kinds = kinds.filter { $0 == nil } + kinds.filter { $0 != nil }
        let parts = kinds.map { types in
            let title = types.map { "Keys of \($0.map(\.rawValue).joined(separator: " and ")) ports:" } ?? "Keys of any \(noun):"
            return ([title] + fields.filter { $0.types == types }.map(entry)).joined(separator: "\n")
        }
        return (parts + fields.alternatives.map { "There is one of \($0.joined(separator: ", "))." } + [legend(fields.map(\.label).joined(separator: " "))].filter { !$0.isEmpty }).joined(separator: "\n")
    }

    private static func entry(_ field: FieldDescription) -> String {
        let label = indent(2) + filled(field.label, from: 2, hanging: 6), help = filled(sentence(field), from: column, hanging: column)
        return (label.count <= column - 2 ? label + indent(column - label.count) : label + "\n" + indent(column)) + help
    }

    /// What the key does, with the allowed range and the default in brackets.
    private static func sentence(_ field: FieldDescription) -> String {
        var notes: [String] = []
        if case .quantity(let quantity, _) = field.value, !quantity.isInLegend, let bounds = field.value.bounds { notes.append(bounds) }
        if let standard = field.standard { notes.append("default \(standard.words)") }
        return notes.isEmpty ? field.help : "\(field.help) (\(notes.joined(separator: "; ")))"
    }

    /// Explains the words in capital letters that stand in the labels.
    private static func legend(_ labels: String) -> String {
        let words = Set(labels.split { !$0.isLetter && $0 != "-" }.map(String.init))
        var lines: [String] = []
        for quantity in [Quantity.rate, .packets] where words.contains(quantity.word) {
            guard let bounds = FieldValue.quantity(quantity, quantity == .rate ? Validator.rates : Validator.packetRates).bounds else { continue }
            lines.append("\(quantity.word): \(bounds), such as \(quantity.example).")
        }
        if words.contains("SIZE") { lines.append("SIZE: such as \(Quantity.size.example).") }
        if words.contains("TIME") { lines.append("TIME: such as \(Quantity.delay.example) or \(Quantity.time.example).") }
        if words.contains("CLASS-KEY") { lines.append("CLASS-KEY VALUE: as sluice class set --help tells.") }
        return lines.joined(separator: "\n")
    }

    /// Breaks words into lines. The first line is already written up to column `begin`; the others are indented by `hanging`.
    private static func filled(_ text: String, from begin: Int, hanging: Int) -> String {
        var result = "", place = begin
        for word in text.split(separator: " ") {
            if result.isEmpty {
                result += word
            } else if place + 1 + word.count <= width {
                result += " " + word
                place += 1
            } else {
                result += "\n" + indent(hanging) + word
                place = hanging
            }
            place += word.count
        }
        return result
    }

    private static func indent(_ count: Int) -> String { String(repeating: " ", count: count) }
}

extension Quantity {
    /// Whether the range is the same for all keys, so that the legend gives it once.
    fileprivate var isInLegend: Bool { self == .rate || self == .packets }
}
