# Written by onrush plot. Its data are in distribution.dat, and
#     gnuplot -e "term='png'" distribution.gp
# draws it in this folder; term may be svg, png, pdf or dumb.
name = 'distribution'
data = 'distribution.dat'
heading = 'Distribution of response and service time, and its complement'
caption = '1000/s even for 300ms, concurrence 4 fresh  ·  VALID  ·  n = 290'
unsupported = 0.034482758620689655
length_axis = 'set logscale x; set xrange [50000:100000000]; set xtics ("100 us" 100000, "1 ms" 1000000, "10 ms" 10000000, "100 ms" 100000000)'
share_axis = 'set logscale y; set yrange [0.0027586206896551726:1]; set ytics ("1 %%" 0.010000000000000002, "10 %%" 0.1, "100 %%" 1)'

# The look that all pictures share.
if (!exists("term")) term = "svg"
if (term eq "png") set terminal pngcairo size 1440,900 font "sans,12" fontscale 1.4 linewidth 1.5
if (term eq "svg") set terminal svg size 960,600 font "sans-serif,13" background "#ffffff"
if (term eq "pdf") set terminal pdfcairo size 9.6in,6in font "sans,13"
if (term eq "dumb") set terminal dumb size 110,40
set output term eq "dumb" ? "/dev/stdout" : name . "." . term
set encoding utf8

# Okabe and Ito: told apart by every kind of colour vision.
blue = "#0072B2"; sky = "#56B4E9"; green = "#009E73"; orange = "#E69F00"
red = "#D55E00"; purple = "#CC79A7"; grey = "#999999"; ink = "#333333"; faint = "#F2F2F2"

set border 3 lc rgb grey
set tics nomirror out scale 0.6 tc rgb ink
set grid lc rgb "#DDDDDD" lw 0.8 dt 1
set xlabel tc rgb ink
set style fill solid noborder
set key noautotitle
set lmargin at screen 0.115
set rmargin at screen 0.87
set tmargin at screen 0.85
set bmargin at screen 0.12
set label 1 "{/:Bold " . heading . "}" at screen 0.02, 0.955 font ",16" tc rgb ink
set label 2 caption at screen 0.02, 0.905 noenhanced tc rgb "#666666"

set multiplot
eval length_axis
set xlabel "time"

set rmargin at screen 0.46
set yrange [0:1]
set label 70 "share that took at most so long" at screen 0.022, graph 0.5 rotate center tc rgb ink
set format y "%.1f"
plot data index "response" using 1:2 with steps lw 2.5 lc rgb blue, \
     data index "service" using 1:2 with steps lw 2.5 lc rgb orange

unset label 1
unset label 2
set lmargin at screen 0.57
set rmargin at screen 0.955
eval share_axis
set label 70 "share that took longer" at screen 0.495, graph 0.5 rotate center tc rgb ink
set object 1 rectangle from graph 0, graph 0 to graph 1, first unsupported \
    behind fillcolor rgb faint fillstyle solid noborder
set label 90 "fewer than 10 samples" at graph 0.02, first unsupported offset 0, -0.7 \
    tc rgb grey font ",11"
set key at screen 0.515, screen 0.02 center bottom horizontal samplen 1.5 textcolor rgb ink
plot data index "response" using 1:($3 > 0 ? $3 : NaN) with steps lw 2.5 lc rgb blue \
         title "response", \
     data index "service" using 1:($3 > 0 ? $3 : NaN) with steps lw 2.5 lc rgb orange \
         title "service"
unset multiplot
