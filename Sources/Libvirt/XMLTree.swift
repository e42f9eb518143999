import Configuration

/// An element of an XML document (XML 1.0, Namespaces in XML 1.0).
package struct XMLTree: Equatable {
    /// Without its prefix.
    package var name: String
    /// Empty: none.
    package var namespace: String
    /// Those with a prefix by their whole names; without declarations of namespaces.
    package var attributes: [String: String]
    /// Without what white space stands around it.
    package var text = ""
    package var children: [XMLTree] = []
    package var line: Int

    /// Elements of libvirt's own with this name.
    func all(_ name: String) -> [XMLTree] { children.filter { $0.name == name && $0.namespace.isEmpty } }
    func first(_ name: String) -> XMLTree? { children.first { $0.name == name && $0.namespace.isEmpty } }
}

extension XMLTree {
    /// - Throws: one sentence about what is no XML, or none that is read here.
    package static func read(_ bytes: [UInt8]) throws(ConfigurationError) -> XMLTree {
        do throws(XMLFlaw) {
            var reader = try XMLReader(bytes)
            return try reader.document()
        } catch {
            throw ConfigurationError([Problem("", error.sentence, line: error.line)])
        }
    }
}

/// Why a document was not read.
struct XMLFlaw: Error {
    var sentence: String
    var line: Int
}
