"""About the method: what the lab shows, in a page."""

import streamlit as st

from app.settings import PAPER_URL
from app.shared_state import PAGES

#: Figures of the paper; none was measured here.
_PUBLISHED = [
    {"": "Seeds, CAM → ReCAM (mIoU on train)", "VOC 2012": "48.8 → 54.8", "MS COCO 2014": "33.1 → 34.6"},
    {"": "Pseudo masks after IRN, CAM → ReCAM", "VOC 2012": "66.3 → 70.9", "MS COCO 2014": "42.4 → 44.1"},
    {"": "DeepLabV2 on the pseudo masks", "VOC 2012": "val 68.5, test 68.4", "MS COCO 2014": "val 45.0"},
    {"": "UperNet-Swin on the pseudo masks", "VOC 2012": "val 71.8, test 72.2", "MS COCO 2014": "–"},
]


def main() -> None:
    """Draw the page."""
    st.title("About the method")
    text, _ = st.columns([3, 1])
    with text:
        _problem()
        _method()
        _background_row()
        _theory()
        _published()


def _problem() -> None:
    st.markdown(
        """
A network that was only ever told *which* classes a picture shows can still be asked *where* they are: its **class
activation map** (CAM) says how much each place speaks for a class. Cut at a threshold, maps become **seeds** for
learning segmentation without a single outlined object. Seeds have two faults, and this lab exists to look at them:

- **false positives**: places that light up for a class, but belong to another one, often one that it is confused with;
- **false negatives**: places of the object that stay dark, because recognising it never needed them.
"""
    )
    st.markdown("A CAM weighs the features $f(x)$ by the classifier's weights $w_k$, and is divided by its maximum:")
    st.latex(r"\mathrm{CAM}_k = \frac{\mathrm{ReLU}(w_k \cdot f(x))}{\max \mathrm{ReLU}(w_k \cdot f(x))}")


def _method() -> None:
    st.subheader("From BCE to ReCAM")
    st.markdown(
        r"""
The classifier FC1 is usually trained by binary cross-entropy (BCE), a yes-or-no question for each class by itself.
Nothing in it makes two classes compete for the same features. Softmax cross-entropy (SCE) does, but asks for a single
right answer, which a picture of a cow *and* a sheep does not have.

ReCAM makes single answers out of such a picture: it masks the features by the CAM of one present class at a time,
"""
    )
    st.latex(r"f_k(x) = M_k \odot f(x), \qquad M_k = \mathrm{CAM}_k,")
    st.markdown(
        "so that what is left belongs to one class. A second classifier FC2, with weights $w'$, is trained on these by "
        "SCE, while FC1 goes on with BCE:"
    )
    st.latex(
        r"\mathcal{L} = \mathcal{L}_{bce}\big(\mathrm{FC1}(\mathrm{GAP}\,f(x)),\, y\big) + \lambda \cdot "
        r"\frac{1}{|\mathcal{P}|} \sum_{k \in \mathcal{P}} -\log \mathrm{softmax}\big(\mathrm{FC2}(\mathrm{GAP}\,"
        r"f_k(x))\big)_k"
    )
    st.markdown(
        r"""
with $\mathcal{P}$ the present classes. The map is then made from both classifiers: an **extraction rule** turns $w$ and
$w'$ into $w''$. The paper takes the product $w \odot w'$; this lab adds $w \odot \mathrm{ReLU}(w')$, because in a plain
product two negative weights make a positive one.

**SCE-CAM**, the middle pane, is the simple alternative: one classifier, trained by SCE with the answer spread evenly
over the present classes.
"""
    )


def _background_row() -> None:
    st.subheader("The background row")
    st.markdown(
        r"""
**This is an addition of this lab, not of the paper.** FC2 learns to tell the present classes of a picture apart, and
nothing ever tells any of them from the background. So where there is one, its rows $w'$ say nothing there: they may
respond to grass and sky as well as to the cow. Pictures with a background class can teach FC2 one more row. Each gives
one more single-label feature, of the places that no present class responds to,
"""
    )
    st.latex(r"M = \big(1 - \max_{k \in \mathcal{P}} \mathrm{CAM}_k\big)^G,")
    st.markdown("with the label $K + 1$ in the same softmax. The second term of the loss above becomes")
    st.latex(
        r"\lambda \Big[ \frac{1}{|\mathcal{P}|} \sum_{k \in \mathcal{P}} -\log \mathrm{softmax}\big(\mathrm{FC2}("
        r"\mathrm{GAP}\,f_k(x))\big)_k \; + \; \beta \cdot -\log \mathrm{softmax}\big(\mathrm{FC2}(\mathrm{GAP}\,"
        r"M \odot f(x))\big)_{K+1} \Big]."
    )
    st.markdown(
        r"""
$\beta = 0$ is the paper's FC2, without such a row; $G > 1$ keeps to places that are surely background. With the row $b$
there are five more extraction rules (and the sum $w + w'$ gains by it as well: FC2 has learnt what is no object):

- **difference**, $w'' = w' - b$: what speaks for the class and not for the background;
- **difference sum**, $w'' = w + w' - b$;
- **difference product**, $w'' = w \odot \mathrm{ReLU}(w' - b)$;
- **softmax**: at each place, the probability of the class against the other present ones and the background. Its
  activations are log-odds: 0.5 is a probability of one half;
- **softmax product**: that probability times the CAM of FC1.

Where every pixel belongs to a class, there is no background to learn, and none of this is offered.
"""
    )


def _theory() -> None:
    st.subheader("Why softmax separates what BCE leaves close")
    st.markdown(
        r"""
Under BCE the pull on a class depends on its own logit alone, $\sigma(z_k) - y_k$: once a present class is believed, the
pull up is gone, however close a confusing absent one is. Under SCE it depends on the distance,
$\mathrm{softmax}(z)_k - y_k$: while the two are near, they are pulled apart. The page *Theory* shows it on logits that
can be moved, on data sets and on weights, and lights up each term of these equations on a real picture.
"""
    )
    if (page := PAGES.get({}).get("theory")) is not None:
        st.page_link(page, label="Theory, live", icon=":material/school:")


def _published() -> None:
    st.subheader("Published figures")
    st.markdown(
        f"From the paper: Chen, Wang, Wu, Hua, Zhang, Sun, *Class Re-Activation Maps for Weakly-Supervised Semantic "
        f"Segmentation*, CVPR 2022, [arXiv 2203.00962]({PAPER_URL}). **None of these was measured here**; they are of "
        "other data than this lab's own figures, which stand under *Results*."
    )
    st.table(_PUBLISHED)
