/// A model as nested maps and lists, in the order in which it is written. YAML and JSON are made from it.
public indirect enum Document: Equatable, Sendable {
    case text(String)
    case number(Int64)
    case flag(Bool)
    case list([Document])
    case map([(key: String, value: Document)])

    public static func == (a: Document, b: Document) -> Bool {
        switch (a, b) {
        case (.text(let a), .text(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.flag(let a), .flag(let b)): a == b
        case (.list(let a), .list(let b)): a == b
        case (.map(let a), .map(let b)): a.elementsEqual(b) { $0.key == $1.key && $0.value == $1.value }
        default: false
        }
    }
}
