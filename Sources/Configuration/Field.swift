/// Describes how one key of an object is read, written, checked and explained. Error sentences, help texts and the JSON Schema are all made from it.
struct Field<Object> {
    var about: FieldDescription
    /// Resets the value to its default, which is what `none` and `default` ask for; nil: the value cannot be reset.
    var unset: ((inout Object) -> Void)?
    var read: (inout Object, Element, inout ProblemList) -> Void
    /// The value as a document; nil: it is the default, which is not written out.
    var write: (Object) -> Document?
    /// Reports a value that reading would have refused, as models can also be made in code. It is called with the object and the path where the object stands;
    /// nil: any value is allowed.
    var check: ((Object, () -> String, inout ProblemList) -> Void)?

    var key: String { about.key }

    /// - Parameter standard: the value that applies if the key is not written.
    init(
        key: String, takes: FieldValue, standard: Document? = nil, help: String = "",
        unset: ((inout Object) -> Void)? = nil, read: @escaping (inout Object, Element, inout ProblemList) -> Void, write: @escaping (Object) -> Document?,
        check: ((Object, () -> String, inout ProblemList) -> Void)? = nil
    ) {
        about = FieldDescription(key: key, value: takes, standard: standard, help: help, mayBeUnset: unset != nil)
        (self.unset, self.read, self.write, self.check) = (unset, read, write, check)
    }
}

/// One key as help texts, messages and the schema describe it.
package struct FieldDescription: Sendable {
    package var key: String
    package var value: FieldValue
    /// The value that applies if the key is not written; nil: there is none, or `help` describes it.
    var standard: Document?
    /// A phrase that says what the key does, and in which unit.
    package var help: String
    /// Whether `none` and `default` may be written to reset the value.
    package var mayBeUnset = false
    /// Whether any text is a valid value, `default` included, so that only `none` resets the value.
    package var isText = false
    package var isRequired = false
    /// The name of a group of keys of which exactly one must be written; nil: the key is in no such group.
    var group: String?
    /// Whether the key exists in files only: on the command line it has no words, or a command of its own.
    var isInFilesOnly = false
    /// The port types that have this key; nil: all of them, or the key belongs to another kind of object.
    package var types: [PortType]?
    /// Whether `show` prints the value under its key when it is not the default.
    var isShown = false
    /// What to write instead for ports of other types, as the end of a message; may be empty.
    var elsewhere = ""
    /// The key and its value as they are written on a command line, if that is not as in a file.
    var form: String?

    /// The key and what it takes, as a help text shows them, such as `mtu 68-9000`.
    var label: String { form ?? "\(key) \(value.word)" }
}

extension [FieldDescription] {
    /// The groups of keys of which exactly one must be written.
    var alternatives: [[String]] {
        let groups = compactMap(\.group)
        return groups.indices.filter { !groups[..<$0].contains(groups[$0]) }.map { place in filter { $0.group == groups[place] }.map(\.key) }
    }
}

extension Field {
    /// The same field, marked as one that a file must have.
    var required: Field {
        var copy = self
        copy.about.isRequired = true
        return copy
    }

    /// The same field, in a group of keys of which exactly one must be written.
    func one(of group: String) -> Field {
        var copy = self
        copy.about.group = group
        return copy
    }

    /// The same field, with no default to reset it to.
    var lasting: Field {
        var copy = self
        copy.unset = nil
        copy.about.mayBeUnset = false
        return copy
    }

    /// The same field, marked as one that `show` prints under its key.
    var shown: Field {
        var copy = self
        copy.about.isShown = true
        return copy
    }

    var inFilesOnly: Field {
        var copy = self
        copy.about.isInFilesOnly = true
        return copy
    }

    /// The same field, for ports of these types only.
    func of(_ types: PortType..., elsewhere: String = "") -> Field {
        var copy = self
        (copy.about.types, copy.about.elsewhere) = (types, elsewhere)
        return copy
    }

    /// The same field, described on the command line by this form.
    func form(_ form: String) -> Field {
        var copy = self
        copy.about.form = form
        return copy
    }
}

extension Validator {
    /// Checks the values of an object that was made in code; no way of reading would have let a wrong one in.
    mutating func check<Object>(_ object: Object, _ fields: [Field<Object>], _ path: String) {
        for field in fields { field.check?(object, { path }, &problems) }
    }
}
