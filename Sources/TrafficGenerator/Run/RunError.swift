import DPDKShim

/// Something that this machine refuses, as a sentence that also says what would help.
public struct RunError: Error, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}

func reason(_ error: CInt) -> String { rte_strerror(error < 0 ? -error : error).map { String(cString: $0) } ?? "error \(error)" }
