//! [`DisplayStyle`]: how a language writes its values.

use core::fmt::{self, Write};

use crate::words::{Cell, Kind};

/// How a language writes its values, for [`DisplayValue::style`](crate::DisplayValue::style):
/// the walk over them, its bound and its cycles are the heap's. Every method has a default,
/// which is what [`Heap::display`](crate::Heap::display) writes without a style. Errors of
/// `out` have to be passed on.
///
/// ```
/// use core::fmt::{Result, Write};
/// use segheap::{Cell, DisplayStyle, Heap, Kind, List};
/// struct Python;
/// impl DisplayStyle for Python {
///     fn cell(&self, out: &mut dyn Write, cell: Cell) -> Result {
///         match cell.as_bool() {
///             Some(true) => out.write_str("True"),
///             Some(false) => out.write_str("False"),
///             None if cell.is_null() => out.write_str("None"),
///             None => write!(out, "{cell:?}"),
///         }
///     }
///     fn text(&self, out: &mut dyn Write, text: &str) -> Result {
///         write!(out, "'{text}'")
///     }
///     fn cycle(&self, out: &mut dyn Write, _: Cell) -> Result {
///         out.write_str("[...]")
///     }
/// }
/// let mut heap = Heap::new();
/// let text = heap.string("a text")?;
/// let list = heap.alloc(List::of(&[text, Cell::TRUE, Cell::NULL, 1.5.into()]))?;
/// heap.get_mut(list)?.push(list.into())?;
/// let shown = heap.display(list).style(&Python).to_string();
/// assert_eq!(shown, "['a text', True, None, 1.5, [...]]");
/// # Ok::<(), segheap::Error>(())
/// ```
pub trait DisplayStyle {
    /// Writes a value in a cell that is neither text nor a float nor the handle of an object,
    /// or a host object, or a sealed cell.
    ///
    /// # Errors
    /// Those of `out`.
    fn cell(&self, out: &mut dyn Write, cell: Cell) -> fmt::Result {
        write!(out, "{cell:?}")
    }

    /// Writes a float that is a value by itself; those of an array are written as by default.
    ///
    /// # Errors
    /// Those of `out`.
    fn float(&self, out: &mut dyn Write, float: f64) -> fmt::Result {
        write!(out, "{float:?}")
    }

    /// Writes a text inside of another value, of which no more than what fits is passed.
    ///
    /// # Errors
    /// Those of `out`.
    fn text(&self, out: &mut dyn Write, text: &str) -> fmt::Result {
        write!(out, "{text:?}")
    }

    /// Writes an object that is being written already, inside of itself.
    ///
    /// # Errors
    /// Those of `out`.
    fn cycle(&self, out: &mut dyn Write, object: Cell) -> fmt::Result {
        write!(out, "{object:?}")
    }

    /// Writes an object that was freed.
    ///
    /// # Errors
    /// Those of `out`.
    fn freed(&self, out: &mut dyn Write, object: Cell) -> fmt::Result {
        let _ = object;
        out.write_str("gone")
    }

    /// Writes what comes before the elements of an object of this kind: by default the shape
    /// or function id, if the kind has one, and `bracket`.
    ///
    /// # Errors
    /// Those of `out`.
    fn open(&self, out: &mut dyn Write, kind: Kind, id: Option<u32>, bracket: &str) -> fmt::Result {
        if let Some(id) = id {
            write!(out, "{kind}<{id}>")?;
        }
        out.write_str(bracket)
    }

    /// Writes what comes after the elements of an object of this kind: by default `bracket`.
    ///
    /// # Errors
    /// Those of `out`.
    fn close(&self, out: &mut dyn Write, kind: Kind, bracket: &str) -> fmt::Result {
        let _ = kind;
        out.write_str(bracket)
    }
}

/// The style of [`Heap::display`](crate::Heap::display): all defaults of [`DisplayStyle`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainStyle;

impl DisplayStyle for PlainStyle {}

impl<S: DisplayStyle + ?Sized> DisplayStyle for &S {
    fn cell(&self, out: &mut dyn Write, cell: Cell) -> fmt::Result {
        (**self).cell(out, cell)
    }

    fn float(&self, out: &mut dyn Write, float: f64) -> fmt::Result {
        (**self).float(out, float)
    }

    fn text(&self, out: &mut dyn Write, text: &str) -> fmt::Result {
        (**self).text(out, text)
    }

    fn cycle(&self, out: &mut dyn Write, object: Cell) -> fmt::Result {
        (**self).cycle(out, object)
    }

    fn freed(&self, out: &mut dyn Write, object: Cell) -> fmt::Result {
        (**self).freed(out, object)
    }

    fn open(&self, out: &mut dyn Write, kind: Kind, id: Option<u32>, bracket: &str) -> fmt::Result {
        (**self).open(out, kind, id, bracket)
    }

    fn close(&self, out: &mut dyn Write, kind: Kind, bracket: &str) -> fmt::Result {
        (**self).close(out, kind, bracket)
    }
}
