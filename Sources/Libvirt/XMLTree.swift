import Configuration

/// An element of an XML document (XML 1.0, Namespaces in XML 1.0), with all elements in it.
package struct XMLTree: Equatable {
    /// The local name, without a prefix.
    package var name: String
    /// The namespace's URI; empty if the element is in none.
    package var namespace: String
    /// The attributes by name, which includes the prefix if there is one. Declarations of namespaces are not among them.
    package var attributes: [String: String]
    /// The element's own text, without white space at its beginning and end.
    package var text = ""
    package var children: [XMLTree] = []
    package var line: Int

    /// The inner elements with this name that are in no namespace, as all of libvirt's own are.
    func all(_ name: String) -> [XMLTree] { children.filter { $0.name == name && $0.namespace.isEmpty } }
    func first(_ name: String) -> XMLTree? { children.first { $0.name == name && $0.namespace.isEmpty } }
}

extension XMLTree {
    /// Reads a document and returns its root.
    /// - Throws: a sentence that says why this is not XML, or not XML that is read here.
    package static func read(_ bytes: [UInt8]) throws(ConfigurationError) -> XMLTree {
        do throws(XMLFlaw) {
            var reader = try XMLReader(bytes)
            return try reader.document()
        } catch {
            throw ConfigurationError([Problem("", error.sentence, line: error.line)])
        }
    }

    /// Reads a document and returns its element of a name: the root, or what the root holds if its name is one of `frames`.
    /// - Parameter command: the command that prints such a document, for the message.
    /// - Throws: a sentence that says why this is not XML, or that it is another document.
    static func read(_ bytes: [UInt8], _ name: String, in frames: [String], printedBy command: String) throws(ConfigurationError) -> XMLTree {
        let root = try read(bytes)
        if root.name == name { return root }
        if frames.contains(root.name), let element = root.first(name) { return element }
        throw ConfigurationError([Problem("", "this is a <\(root.name)>, not a <\(name)>: pass what \(command) prints", line: root.line)])
    }
}

/// Why a document was not read.
struct XMLFlaw: Error {
    var sentence: String
    var line: Int
}
